"""Ranks positives before they are learned: live recall, and the lesson for the score's weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from schemas.settings import TowerSettings
from towers.arrays import Floats, Ints, State
from towers.blend import BlendWeights
from towers.pairs import Pairs
from towers.pieces import Pieces
from towers.probes import Probe
from towers.recall_meter import RecallMeter

_PAIRS = 1  # for a chance of their own


class Judge:
    """Holds the score's weights and the figures of recall by them, and teaches these and pairs."""

    def __init__(self, settings: TowerSettings, pairs: Pairs) -> None:
        self._settings = settings
        self._pairs = pairs
        self._meter = RecallMeter()
        self.blend = BlendWeights(settings)

    def judging(
        self,
        probes: list[Probe],
        users: Tensor,
        vectors: Floats,
        servable: npt.NDArray[np.bool_],
    ) -> Pieces[Ints]:
        """(probes,): rank of each positive, 0 the top; then it teaches the weights: each a piece.

        users: (probes, dim); vectors: (items, dim); servable: (items,). One that could not be
        recalled, as it was unknown or can't be served, ranks after all and teaches nothing.
        """
        found = np.full(len(probes), len(servable), np.int64)
        if not probes:
            return found
        cosines: Floats = (users @ torch.from_numpy(vectors).T).numpy()  # (probes, items)
        for place, probe in enumerate(probes):
            if probe.item >= probe.known or not servable[probe.item]:
                continue
            near = cosines[place, : probe.known]
            scores = probe.scores(near, self.blend)
            found[place] = probe.rank(scores, servable)
            if self.blend.learns:
                lesson = probe.teach(self.blend, near, scores, servable, self._settings)
                if self._settings.pair_items:
                    random = np.random.default_rng([self._settings.seed, probe.number, _PAIRS])
                    self._pairs.learn(probe.past, *lesson, len(servable), random)
            yield
        self._meter.add(found)
        return found

    def figures(self) -> dict[str, float]:
        """Of live recall."""
        return self._meter.figures()

    def state(self) -> State:
        """For a checkpoint."""
        return {"meter": self._meter.state(), "blend": self.blend.state()}

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._meter.load(state["meter"])
        self.blend.load(state["blend"])

"""Live recall: each positive is ranked among all items before it is learned."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from towers.arrays import Floats, Ints
from towers.trend import TrendCounts

_CELLS = 250_000  # rows times items ranked in a step; about 2 ms at 64 dimensions
_WINDOW = 2_000  # positives that the average looks back on, about


class Probe(NamedTuple):
    """What recall could know when the positive came."""

    item: int
    excluded: Ints
    """Items that the user had seen; the positive's own is never left out."""
    counts: TrendCounts
    """Of the items known then; an item that came later can't be recalled."""


class RecallMeter:
    """Exponentially weighted share of positives that were within the first 10 and 50."""

    def __init__(self) -> None:
        self._ranked = 0
        self._at_10 = 0.0
        self._at_50 = 0.0

    def add(self, ranks: Ints) -> None:
        """Take ranks into account; 0 is the top."""
        for rank in ranks.tolist():
            self._ranked += 1
            share = max(1 / self._ranked, 1 / _WINDOW)
            self._at_10 += share * ((rank < 10) - self._at_10)
            self._at_50 += share * ((rank < 50) - self._at_50)

    def figures(self) -> dict[str, float]:
        """`recall_at_10` and `recall_at_50`, and of how many positives."""
        return {
            "recall_at_10": self._at_10,
            "recall_at_50": self._at_50,
            "recall_ranked": float(self._ranked),
        }

    def state(self) -> dict[str, float]:
        """For a checkpoint."""
        return {"ranked": self._ranked, "at_10": self._at_10, "at_50": self._at_50}

    def load(self, state: dict[str, float]) -> None:
        """Become what `state` said."""
        self._ranked = int(state["ranked"])
        self._at_10, self._at_50 = state["at_10"], state["at_50"]


def stride(items: int, batch: int) -> int:
    """Every how many positives one is ranked, so that ranking stays a small part of a step."""
    return max(1, -(-items * batch // _CELLS))


def blended_bias(counts: TrendCounts, weights: dict[str, float]) -> Floats:
    """(items,): the part of the score that is the same for all users."""
    bias = np.zeros(len(counts.positives))
    for name, values in (("positives", counts.positives), ("exposures", counts.exposures)):
        if weights.get(name):
            bias += weights[name] * np.log1p(values)
    return bias.astype(np.float32)


def ranks(
    users: Tensor,
    vectors: Tensor,
    probes: list[Probe],
    servable: npt.NDArray[np.bool_],
    scale: float,
    weights: dict[str, float],
) -> Ints:
    """(probes,): how many items score at least as well as the positive, which is not counted.

    users: (probes, dim); vectors: (items, dim); servable: (items,). An item that was unknown, or
    can't be served, is ranked after all.
    """
    scores = (scale * users @ vectors.T).numpy()  # (probes, items)
    found = np.full(len(probes), len(vectors), np.int64)
    biases: dict[int, Floats] = {}  # probes of one poll share their counts
    for index, probe in enumerate(probes):
        known = len(probe.counts.positives)
        if probe.item >= known or not servable[probe.item]:
            continue
        bias = biases.get(id(probe.counts))
        if bias is None:
            bias = biases[id(probe.counts)] = blended_bias(probe.counts, weights)
        row = scores[index, :known] + bias  # (known,)
        target = row[probe.item]
        candidates = servable[:known].copy()
        candidates[probe.excluded] = False
        candidates[probe.item] = False
        found[index] = int((row[candidates] >= target).sum())
    return found

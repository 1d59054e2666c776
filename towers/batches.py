"""Puts a learning step's batch together: new positives, replayed ones, negatives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from schemas.settings import TowerSettings
from towers.arrays import Ints, State
from towers.frequency import expected_counts
from towers.model import Batch, UserInputs
from towers.observer import Observer
from towers.users import User


class BatchMaker:
    """Draws what is random in a step; the same seed and samples give the same batches."""

    def __init__(self, settings: TowerSettings) -> None:
        self._settings = settings
        self.unreplayed = 0
        """Positives that would have been replayed at a share of 1."""
        self._random = torch.Generator().manual_seed(settings.seed)

    def next(self, world: Observer, most: int, replay: float) -> tuple[Ints, Batch] | None:
        """Numbers of the new positives, at most `most`, and the batch, whose first rows they are.

        None without new ones. A share `replay` of `towers.replay` earlier positives ride along for
        each new one.
        """
        new = world.replay.take(most)
        if not len(new):
            return None
        whole = self._settings.replay * len(new)
        again = round(replay * whole)
        self.unreplayed += whole - again
        examples = world.replay.examples(
            np.concatenate([new, self._replayed(world.replay.oldest, int(new[0]), again)])
        )
        uniform = self._uniform(world.catalogue.alive)
        columns = np.concatenate([examples.items, uniform])  # (columns,)
        counts = expected_counts(
            world.frequency.frequencies(columns),
            len(examples.items) if self._settings.in_batch_negatives else 0,
            len(uniform),
            int(world.catalogue.alive.sum()),
        )
        passed, absent = self._passed(world, examples.user_ids, examples.items)
        users = UserInputs(examples.latest, examples.actions, examples.features)
        # What can't be drawn has no count; as a target it needs no correction either.
        logs = np.log(counts, out=np.zeros_like(counts), where=counts > 0)
        weights = examples.weights
        return new, Batch(len(new), users, examples.items, weights, uniform, logs, passed, absent)

    def _replayed(self, oldest: int, end: int, count: int) -> Ints:
        if not count or oldest >= end:
            return np.zeros(0, np.int64)
        return _ints(torch.randint(oldest, end, (count,), generator=self._random))

    def _uniform(self, alive: npt.NDArray[np.bool_]) -> Ints:
        candidates = np.flatnonzero(alive)
        count = self._settings.uniform_negatives
        if not count or not len(candidates):
            return np.zeros(0, np.int64)
        return candidates[_ints(torch.randint(len(candidates), (count,), generator=self._random))]

    def _passed(
        self, world: Observer, user_ids: list[str], targets: Ints
    ) -> tuple[Ints, npt.NDArray[np.bool_]]:
        extra = self._settings.exposure_negatives
        draws = torch.rand(len(user_ids), extra, generator=self._random)
        users = [world.users.get(user_id) or User() for user_id in user_ids]
        shown = {id(user): list(user.negatives.values()) for user in users}
        lists = [shown[id(user)] for user in users]
        taken = [user.latest for user in users]
        wanted = targets.tolist()
        passed = np.empty((len(users), extra), np.int64)
        absent = np.empty((len(users), extra), np.bool_)
        for column, drawn in enumerate(draws.T.tolist()):
            found = [
                items[int(draw * len(items))] if items else target
                for items, target, draw in zip(lists, wanted, drawn, strict=True)
            ]
            passed[:, column] = found
            # What the user took after all is no negative of theirs.
            absent[:, column] = [
                item == target or item in latest
                for item, target, latest in zip(found, wanted, taken, strict=True)
            ]
        return passed, absent

    def state(self) -> State:
        """For a checkpoint."""
        return {"random": self._random.get_state()}

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._random.set_state(state["random"])


def _ints(tensor: torch.Tensor) -> Ints:
    array: Ints = tensor.numpy()
    return array

"""Baseline: matrix completion, one pass of stochastic gradient descent on squared loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ops.evaluation.ranking import ItemRows
from ops.evaluation.recommender import Ask
from schemas.events import EXPOSURE, Event, Item
from schemas.settings import LabellingSettings

_DIM = 32
_SPREAD = 0.1  # of first values

Floats = npt.NDArray[np.float32]


class MatrixCompletion:
    """Users' and items' vectors whose dot product shall be 1 for a positive and 0 for the rest.

    The rest is what was shown in the same request and not taken, and `uniform` items drawn for each
    positive. As ISGD (Vinagre et al., UMAP 2014), with these zeros in place of none.
    """

    def __init__(
        self, rules: LabellingSettings, lr: float, decay: float, uniform: int, seed: int
    ) -> None:
        self._rules = rules
        self._lr = lr
        self._decay = decay
        self._uniform = uniform
        self._random = np.random.default_rng(seed)
        self._items = ItemRows()
        self._vectors: Floats = np.zeros((0, _DIM), np.float32)
        self._users: dict[str, Floats] = {}

    def recommend(self, ask: Ask) -> list[str]:
        """See `Recommender`; a user whom nothing is known of gets the mean user's list."""
        vector = self._users.get(ask.user_id)
        if vector is None:
            vector = np.mean(list(self._users.values()) or [np.zeros(_DIM, np.float32)], axis=0)
        scores = self._vectors[: len(self._items)] @ vector  # (items,)
        return self._items.best(scores.astype(np.float64), ask)

    def arrive(self, items: Sequence[Item]) -> None:
        """See `Recommender`."""
        self._items.add(items)
        if len(self._items) > len(self._vectors):
            more = max(len(self._items), 2 * len(self._vectors), 256) - len(self._vectors)
            self._vectors = np.concatenate([self._vectors, self._drawn(more)])

    def take(self, events: Sequence[Event]) -> None:
        """See `Recommender`."""
        taken = {event.item_id for event in events if event.action in self._rules.positives}
        for event in events:
            user = self._users.get(event.user_id)
            if user is None:
                user = self._users[event.user_id] = self._drawn(1)[0]
            if event.action in self._rules.positives:
                drawn = self._random.integers(len(self._items), size=self._uniform)
                rows = np.array([self._items.row(event.item_id), *drawn])
                self._learn(user, rows, np.eye(1, len(rows), dtype=np.float32)[0])
            elif event.action == EXPOSURE and event.item_id not in taken:
                rows = np.array([self._items.row(event.item_id)])
                self._learn(user, rows, np.zeros(1, np.float32))

    def _learn(self, user: Floats, rows: npt.NDArray[np.intp], targets: Floats) -> None:
        """One step on the squared error of each of `rows`; `user` changes in place."""
        items = self._vectors[rows]  # (rows, dim)
        errors = (targets - items @ user)[:, np.newaxis]  # (rows, 1)
        moved = self._lr * (errors * user - self._decay * items)
        user += self._lr * ((errors * items).sum(axis=0) - self._decay * user)
        np.add.at(self._vectors, rows, moved)  # an item may have been drawn twice

    def _drawn(self, count: int) -> Floats:
        return self._random.normal(0, _SPREAD, (count, _DIM)).astype(np.float32)

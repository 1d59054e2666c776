"""What the baselines share: items by row, and the best of many scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from ops.evaluation.recommender import Ask
from schemas.events import Item

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


class ItemRows:
    """Items by row, in order of arrival."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._row_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, items: Iterable[Item]) -> None:
        """Give each of these new items the next row."""
        for item in items:
            self._row_of[item.item_id] = len(self._ids)
            self._ids.append(item.item_id)

    def row(self, item_id: str) -> int:
        """The row of an item that has arrived."""
        return self._row_of[item_id]

    def rows(self, item_ids: Sequence[str]) -> Rows:
        """(len(item_ids),): their rows."""
        return np.fromiter(map(self._row_of.__getitem__, item_ids), np.intp, len(item_ids))

    def best(self, scores: Doubles, ask: Ask) -> list[str]:
        """The `ask.k` best allowed items by falling score, ties by order of arrival.

        scores: (items,); changed by this call.
        """
        scores[self.rows(ask.exclude)] = -np.inf
        count = min(ask.k, len(scores) - len(ask.exclude))
        if count <= 0:
            return []
        # The k-th best score, then all that reach it: which of the ties is in does not vary.
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        reach = np.flatnonzero(scores >= least)
        order = np.argsort(-scores[reach], kind="stable")[:count]
        return [self._ids[row] for row in reach[order].tolist()]

"""Baseline: items clicked by the same users, counted as clicks come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ops.evaluation.ranking import Doubles, ItemRows
from ops.evaluation.recommender import Ask
from schemas.errors import SettingsError
from schemas.events import Event, Item
from schemas.settings import LabellingSettings

MAX_ITEMS = 20_000
"""Counts of pairs take 4 bytes times items squared: 1.6 GB at this many."""


class ItemKnn:
    """Incremental item-kNN: the cosine of two items' sets of users, summed over a user's history.

    score(j) = sum over the latest `history` items i of decay^age(i) * n_ij / sqrt(n_i * n_j), with
    n_ij the users who clicked both, within `window` clicks of each other, and n_i those who clicked
    i (Sarwar et al., WWW 2001; counted incrementally as Papagelis et al., ISMIS 2005).
    """

    def __init__(self, rules: LabellingSettings, history: int, decay: float, window: int) -> None:
        self._rules = rules
        self._history = history
        self._shares = decay ** np.arange(history)
        self._window = window
        self._items = ItemRows()
        self._pairs: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._users: Doubles = np.zeros(0)
        self._latest: defaultdict[str, dict[int, None]] = defaultdict(dict)  # oldest first

    def recommend(self, ask: Ask) -> list[str]:
        """See `Recommender`; items without a co-click come last, by clicks."""
        count = len(self._items)
        users = np.maximum(self._users[:count], 1.0)
        scores = self._users[:count] * 1e-9
        rows = list(self._latest.get(ask.user_id, ()))[: -self._history - 1 : -1]
        if rows:
            weights = self._shares[: len(rows)] / np.sqrt(users[rows])
            scores += (weights @ self._pairs[rows, :count]) / np.sqrt(users)
        return self._items.best(scores, ask)

    def arrive(self, items: Sequence[Item]) -> None:
        """See `Recommender`. Raises SettingsError for more than `MAX_ITEMS` items."""
        self._items.add(items)
        if len(self._items) > MAX_ITEMS:
            msg = f"item-knn holds at most {MAX_ITEMS} items; got more; leave it out of --models"
            raise SettingsError(msg)
        if len(self._items) > len(self._users):
            more = max(len(self._items) - len(self._users), len(self._users), 256)
            self._pairs = np.pad(self._pairs, (0, more))
            self._users = np.pad(self._users, (0, more))

    def take(self, events: Sequence[Event]) -> None:
        """See `Recommender`."""
        for event in events:
            if event.action not in self._rules.positives:
                continue
            row, latest = self._items.row(event.item_id), self._latest[event.user_id]
            if row in latest:
                del latest[row]
            else:
                others = list(latest)
                self._users[row] += 1
                self._pairs[row, others] += 1
                self._pairs[others, row] += 1
            latest[row] = None
            if len(latest) > self._window:
                del latest[next(iter(latest))]

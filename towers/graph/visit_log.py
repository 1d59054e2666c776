"""The latest visits as sequences: what item2vec learns from."""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np

from towers.arrays import Ints
from towers.graph.names import Names
from towers.graph.sessions import Visit


class Sequences(NamedTuple):
    """Lists of items laid end to end."""

    items: Ints
    """(visits,) by number."""
    lengths: Ints
    """(sequences,)"""


class VisitLog:
    """Keeps at least the newest `kept` visits, up to an eighth more: 17 bytes each, and the names.

    A session of which only the end is kept is one that begins there.
    """

    def __init__(self, kept: int = 10_000_000) -> None:
        self._kept = kept
        self.names = Names()
        self._users = array("q")
        self._items = array("q")
        self._opens = array("b")
        self.dropped = 0
        """Visits that were too old to keep."""

    def __len__(self) -> int:
        return len(self._items)

    def add(self, visit: Visit) -> None:
        """The next visit."""
        self._users.append(visit.user)
        self._items.append(self.names.add(visit.item_id))
        self._opens.append(visit.after is None)
        if len(self._items) > self._kept + self._kept // 8:
            self._trim()

    @property
    def has_pairs(self) -> bool:
        """Whether any two visits are of one session."""
        return bool(np.array(self._opens, np.int64).sum() < len(self._opens))

    def counts(self) -> Ints:
        """(items,): visits of each."""
        return np.bincount(np.array(self._items, np.int64), minlength=len(self.names))

    def sequences(self) -> Sequences:
        """Each session, its visits in order."""
        users = np.array(self._users, np.int64)
        order = np.argsort(users, kind="stable")
        users = users[order]
        opens = np.array(self._opens, np.bool_)[order]
        opens[1:] |= users[1:] != users[:-1]
        opens[:1] = True
        starts = np.flatnonzero(opens)
        lengths = np.diff(starts, append=len(users))
        return Sequences(np.array(self._items, np.int64)[order], lengths)

    def _trim(self) -> None:
        self.dropped += len(self._items) - self._kept
        self._users = self._users[-self._kept :]
        self._opens = self._opens[-self._kept :]
        items = np.array(self._items[-self._kept :], np.int64)
        present = np.zeros(len(self.names), np.bool_)
        present[items] = True
        self._items = array("q", self.names.keep(present)[items].tobytes())

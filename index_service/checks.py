"""Checks that go on in production: how much of the truth a backend finds, and how widely it must
search for it.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future

import numpy as np

from index_service.item_table import ItemTable
from index_service.live_index import LiveIndex
from index_service.ranking import top
from schemas.vectors import Float32Array

_EVERY_S = 1.0
_SOON_S = 0.1
"""After a check that found too little."""
_QUERIES = 2
"""In each check: a product over all vectors each, 7 ms for 200,000 of 64 dimensions."""
_DEPTH = 100
_OWN = 10
"""An item's own vector must find it among so many."""
_KEPT = 20
_SETTLED = 6
"""Samples, since the breadth was changed last, that say enough to narrow it."""


class Checks:
    """Samples of the latest queries, compared with the truth."""

    def __init__(self, target: float, executor: Executor, monotonic_s: Callable[[], float]) -> None:
        self._target = target
        self._executor = executor
        self._monotonic_s = monotonic_s
        self._due_s = monotonic_s() + _SOON_S
        self._job: Future[None] | None = None
        self._latest: deque[Float32Array] = deque(maxlen=16)
        self._chance = random.Random(0)
        self._recalls: deque[float] = deque(maxlen=_KEPT)
        self._since_change: list[float] = []
        self._misses: deque[float] = deque(maxlen=_KEPT)

    def saw(self, query: Float32Array) -> None:
        """The backend was asked for what is near `query` (dim,)."""
        self._latest.append(query)

    @property
    def recall(self) -> float:
        """Share of the true nearest 100 found, over the latest samples; 1 before the first."""
        return float(np.mean(self._recalls)) if self._recalls else 1.0

    @property
    def self_misses(self) -> float:
        """Share of items that their own vector did not find, likewise; 0 before the first."""
        return float(np.mean(self._misses)) if self._misses else 0.0

    def tend(self, items: ItemTable, live: LiveIndex) -> None:
        """Start a check when it is time. Raises what the one before raised."""
        if live.backend is None or self._monotonic_s() < self._due_s:
            return
        if self._job is not None:
            if not self._job.done():
                return
            self._job.result()
        self._due_s = self._monotonic_s() + _EVERY_S
        self._job = self._executor.submit(self.check, items, live)

    def check(self, items: ItemTable, live: LiveIndex) -> None:
        """One check, now, in this thread."""
        with live.lock:
            if live.backend is None or not items.available:
                return
            vectors = items.slots.vectors
            servable = items.servable[: len(vectors)].copy()
            unwritten = set(live.unwritten())
            share = items.available / len(items.slots)
        at = self._chance.choices(np.flatnonzero(servable).tolist(), k=_QUERIES)
        own = vectors[at]  # (queries, dim)
        queries = [self._chance.choice(self._latest) if self._latest else row for row in own]
        products = np.stack(queries) @ vectors.T  # (queries, used)
        products[:, ~servable] = -np.inf
        depth = min(_DEPTH, items.available)
        found = live.search_many(np.stack(queries), math.ceil(depth / share))
        for scores, near in zip(products, found, strict=True):
            truth = set(top(scores, depth).tolist())
            hits = len(truth & (unwritten | set(near.keys.tolist())))
            self._recalls.append(hits / len(truth))
            self._since_change.append(hits / len(truth))
        for slot, near in zip(at, live.search_many(own, _OWN), strict=True):
            self._misses.append(float(slot not in near.keys and slot not in unwritten))
        self._steer(live)

    def _steer(self, live: LiveIndex) -> None:
        """Search more widely at once when too little is found, less so when it was enough."""
        backend, missed = live.backend, 1 - float(np.mean(self._since_change))
        if backend is None:
            return
        allowed = 1 - self._target
        if missed > allowed:
            factor = min(2.0, max(1.1, math.sqrt(missed / allowed)))
            backend.breadth = math.ceil(backend.breadth * factor)
            self._due_s = self._monotonic_s() + _SOON_S
        elif missed < 0.3 * allowed and len(self._since_change) >= _SETTLED:
            backend.breadth = max(1, math.floor(backend.breadth * 0.95))
        else:
            return
        self._since_change.clear()

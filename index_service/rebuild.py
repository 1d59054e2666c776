"""A new graph, built in the background while the old one serves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future

import numpy as np

from index_service.backend import Backend
from schemas.vectors import Float32Array

_CHUNK_ITEMS = 256
"""Inserted between two looks at whether to give up: some 0.1 s."""
_AT_ONCE_ITEMS = 32
"""Changes that the serving thread applies itself at the end: some 10 ms."""


class GraphRebuild:
    """Fills a new backend on an executor, and brings it up to date with what changed meanwhile.

    `note`, `result` and `give_up` are called from one thread, the one that serves; the new
    backend is touched by one thread at a time, as `result` looks only when the work is done.
    """

    def __init__(
        self,
        make: Callable[[], Backend],
        ids: list[str],
        vectors: Float32Array,
        executor: Executor,
    ) -> None:
        """`vectors` (len(ids), dim) must be a copy that nobody changes."""
        self._backend = make()
        self._executor = executor
        self._changes: dict[str, Float32Array | None] = {}
        self._given_up = threading.Event()
        self._work: Future[None] = executor.submit(self._fill, ids, vectors)

    def note(self, item_id: str, vector: Float32Array | None) -> None:
        """The item changed to `vector` (dim,), or went away, after the copy was made."""
        self._changes[item_id] = vector

    def result(self) -> Backend | None:
        """The new backend once it holds every change, else None. Raises what the build raised."""
        if not self._work.done():
            return None
        self._work.result()
        changes, self._changes = self._changes, {}
        if len(changes) > _AT_ONCE_ITEMS:  # too many to hold up the serving thread: another round
            self._work = self._executor.submit(self._apply, changes)
            return None
        self._apply(changes)
        return self._backend

    def give_up(self) -> None:
        """End the work soon; its result is of no use any more."""
        self._given_up.set()
        self._work.cancel()

    def _fill(self, ids: list[str], vectors: Float32Array) -> None:
        for start in range(0, len(ids), _CHUNK_ITEMS):
            if self._given_up.is_set():
                return
            chunk = slice(start, start + _CHUNK_ITEMS)
            self._backend.upsert(ids[chunk], vectors[chunk])

    def _apply(self, changes: dict[str, Float32Array | None]) -> None:
        self._backend.delete([item_id for item_id, vector in changes.items() if vector is None])
        kept = {item_id: vector for item_id, vector in changes.items() if vector is not None}
        if kept:
            self._fill(list(kept), np.stack(list(kept.values())))

"""The live index by itself: a backend kept up with changes, and exact scores of what it finds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor

import numpy as np

from index_service.backends import make_backend
from index_service.checks import Checks
from index_service.item_table import ItemTable
from index_service.live_index import LiveIndex, Source
from index_service.ranking import top
from schemas.settings import Settings
from schemas.vectors import Float32Array, ItemVector


class NearestOnly:
    """An `ItemIndex` without filters, channels and blended scores: what bare engines do, with
    updates, deletes and rebuilds.
    """

    def __init__(self, settings: Settings, executor: Executor) -> None:
        self._settings = settings.index
        self._items = ItemTable(settings.towers.dim)
        self._live = LiveIndex(
            lambda: make_backend(settings.index, settings.towers.dim),
            executor,
            threading.Lock(),
            settings.index.max_unwritten,
            time.monotonic,
        )
        self._checks = Checks(settings.index.target_recall, executor, time.monotonic)

    @property
    def behind(self) -> bool:
        return self._live.behind

    def upsert(self, item: ItemVector) -> None:
        with self._live.lock:
            slot, _ = self._items.put(item, 0)
            self._live.note(slot, self._items.slots.vectors[slot].copy())
        self._live.wake()

    def delete(self, item_id: str) -> None:
        with self._live.lock:
            slot = self._items.remove(item_id)
            if slot is not None:
                self._live.note(slot, None)
        self._live.wake()

    def tend(self) -> None:
        with self._live.lock:
            backend = self._live.backend
            due = backend is None or backend.dead_share > self._settings.rebuild_dead_share
            if due and not self._live.building:
                self._live.build(Source(self._items.occupied, self._items.slots.vectors))
        self._live.wake()
        self._live.raise_failure()
        self._checks.tend(self._items, self._live)

    def nearest(self, query: Float32Array, k: int) -> list[str]:
        """The k nearest items, best first."""
        self._checks.saw(query)
        (found,) = self._live.search_many(query[np.newaxis], k)
        with self._live.lock:
            unwritten = np.array(self._live.unwritten(), dtype=np.intp)
            known = np.zeros(self._items.slots.used, dtype=np.bool_)
            known[unwritten] = True
            slots = np.concatenate([found.keys[~known[found.keys]], unwritten])
            slots = slots[self._items.servable[slots]]
            cosines = self._items.slots.vectors.take(slots, axis=0) @ query
            best = top(cosines, k)
            return self._items.slots.ids_at(slots[best[np.argsort(-cosines[best])]])

    def figures(self) -> dict[str, float]:
        backend = self._live.backend
        return {
            "breadth": 0.0 if backend is None else float(backend.breadth),
            "dead_share": 0.0 if backend is None else backend.dead_share,
            "rebuilds": float(self._live.builds),
            "sampled_recall": self._checks.recall,
            "unwritten": float(len(self._live.unwritten())),
        }

    def close(self) -> None:
        self._live.close()

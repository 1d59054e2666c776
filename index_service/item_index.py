"""The items of some shards, searched together by one blended score."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor

import numpy as np

from index_service.backends import make_backend
from index_service.blending import rank
from index_service.checks import Checks
from index_service.item_table import ItemTable, ShardState
from index_service.live_index import LiveIndex, Source
from index_service.nearest import Plan, comparing, plan_searches, propose
from index_service.query import Query
from index_service.trend_pools import TrendPools
from schemas.recall import RecalledItem
from schemas.settings import Settings
from schemas.vectors import Float32Array, ItemVector

_AT_ONCE = 500
"""Items of a shard that come or go while searches wait: some 3 ms."""
_PAUSE_S = 0.001
"""Else who waits for the lock would hardly get it in between."""


class ItemIndex:
    """Vectors, counts and attributes by slot: the truth, on which every score is computed.

    From `exact_below` items on, a backend proposes the nearest ones. Any thread may call any
    method while others do. One lock guards the truth: a write holds it for some 10 us, a search
    twice for some 100 us a query. Nobody holds it while a backend is searched, written or built,
    or while vectors are compared by the thousand.
    """

    def __init__(
        self,
        settings: Settings,
        executor: Executor,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`executor` writes to backends and builds them: of two threads each does one."""
        index = settings.index
        self._index, self._share = index, index.trending_share
        self._lock = threading.Lock()
        self._live = LiveIndex(
            lambda: make_backend(index, settings.towers.dim),
            executor,
            self._lock,
            index.max_unwritten,
            monotonic_s,
        )
        self._checks = Checks(index.target_recall, executor, monotonic_s)
        self._items = ItemTable(settings.towers.dim)
        self._pools = TrendPools(self._items, index.trending_pool)

    def __len__(self) -> int:
        return len(self._items.slots)

    def count_in(self, shard: int) -> int:
        """Items of the shard."""
        with self._lock:
            return int(np.count_nonzero(self._items.shards == shard))

    @property
    def trend_clock(self) -> float:
        """The newest clock that an item came with."""
        return self._items.trend_clock

    @property
    def step(self) -> int:
        """The newest trainer step that an item came with."""
        return self._items.step

    @property
    def behind(self) -> bool:
        """Writes should wait until this is false again: the backend can't keep up with them.

        A write that doesn't is right all the same, and makes searches slower.
        """
        return self._live.behind

    @property
    def dead_share(self) -> float:
        """Of the backend; 0 without one."""
        backend = self._live.backend
        return backend.dead_share if backend is not None else 0.0

    @property
    def fields(self) -> set[str]:
        """Attributes that some item has."""
        with self._lock:
            return self._items.attributes.fields()

    def figures(self) -> dict[str, float]:
        """What a node reports of it."""
        backend = self._live.backend
        return {
            "items": float(len(self)),
            "dead_share": self.dead_share,
            "sampled_recall": self._checks.recall,
            "self_miss_share": self._checks.self_misses,
            "breadth": 0.0 if backend is None else float(backend.breadth),
            "unwritten": float(len(self._live.unwritten())),
            "rebuilds": float(self._live.builds),
            "rebuild_s": self._live.build_s,
        }

    def upsert(self, item: ItemVector, shard: int = 0) -> None:
        """Put or replace an item of the shard; every search that begins later sees it.

        Raises DecodeError, changing nothing, when a number is none.
        """
        with self._lock:
            slot, moved = self._items.put(item, shard)
            self._pools.note(slot)
            if moved:
                self._live.note(slot, self._items.slots.vectors[slot].copy())
        self._live.wake()

    def delete(self, item_id: str) -> None:
        """Take an item out; one that is not in is no error. No search that ends later has it."""
        with self._lock:
            slot = self._items.remove(item_id)
            if slot is not None:
                self._live.note(slot, None)
        self._live.wake()

    def copied(self, shard: int = 0) -> ShardState:
        """See `ItemTable.copied`: the shard's items as they are now, for a snapshot."""
        with self._lock:
            return self._items.copied(shard)

    def restore(self, state: ShardState, shard: int = 0) -> None:
        """Hold these items of the shard, and no others of it. Others search meanwhile: they should
        not ask for this shard.
        """
        while not self.drop_some(shard):
            pass
        for start in range(0, len(state.ids), _AT_ONCE):
            part = state.part(start, start + _AT_ONCE)
            with self._lock:
                slots = self._items.put_many(part, shard).tolist()
                for slot, vector in zip(slots, part.vectors, strict=True):
                    self._pools.note(slot)
                    self._live.note(slot, vector)
            self._live.wake()
            time.sleep(_PAUSE_S)

    def drop_some(self, shard: int) -> bool:
        """Let go of some items of the shard; whether none is left."""
        with self._lock:
            slots = np.flatnonzero(self._items.shards == shard)[:_AT_ONCE]
            for slot, item_id in zip(slots.tolist(), self._items.slots.ids_at(slots), strict=True):
                self._items.remove(item_id)
                self._live.note(slot, None)
        self._live.wake()
        return len(slots) < _AT_ONCE

    def vector_of(self, item_id: str, shards: Collection[int] = (0,)) -> Float32Array | None:
        """(dim,), a copy, or None where none of the shards has it; also of an item that is not
        available.
        """
        with self._lock:
            slot = self._items.slots.slot_of(item_id)
            if slot is None or self._items.shards[slot] not in shards:
                return None
            found: Float32Array = self._items.slots.vectors[slot].copy()
            return found

    def tend(self) -> None:
        """What is to be done now and then: start to build a backend where it is due, and check.

        Due: there are `exact_below` items, or the backend's dead share has passed
        `rebuild_dead_share`. A backend is dropped when half of `exact_below` is left. Raises what
        a job in the background raised.
        """
        dropped = None
        with self._lock:
            backend, few = self._live.backend, len(self) < max(self._index.exact_below, 1)
            if backend is None:
                due = not few and self._index.backend != "exact"
            else:
                due = backend.dead_share > self._index.rebuild_dead_share
                if len(self) < self._index.exact_below / 2:
                    dropped, due = self._live.drop(), False
            if due and not self._live.building:
                self._live.build(Source(self._items.occupied, self._items.slots.vectors))
        self._live.release(dropped)
        self._live.wake()
        self._live.raise_failure()
        self._checks.tend(self._items, self._live)

    def close(self) -> None:
        """End what runs in the background."""
        self._live.close()

    def search(self, query: Query) -> list[RecalledItem]:
        """The best min(k, allowed) items by falling score, ties by item id.

        Candidates come by the channels, out of the items that are available, meet the conditions
        and are not excluded: the nearest by cosine, the most trending, and those with a mark.
        """
        return self.search_many([query])[0]

    def search_many(self, queries: Sequence[Query]) -> list[list[RecalledItem]]:
        """`search` for each query: near items of all are looked for together."""
        with self._lock:
            below = self._index.exact_below
            plans = plan_searches(queries, self._items, self._live, below)
        for plan in plans:
            if plan.by_backend and plan.query.vector is not None:
                self._checks.saw(plan.query.vector)
        found = self._ranked(plans)
        again = [at for at, items in enumerate(found) if items is None]
        if again:
            # A filter, or deletes, left less of what the backend gave than was wanted.
            with self._lock:
                plans = [comparing(plans[at], self._items) for at in again]
            for at, items in zip(again, self._ranked(plans), strict=True):
                found[at] = items
        return [items or [] for items in found]

    def _ranked(self, plans: Sequence[Plan]) -> list[list[RecalledItem] | None]:
        near = propose(plans, self._live)
        with self._lock:
            return rank(plans, near, self._items, self._pools, self._share)

"""One shard: a partition of the item vectors, searched by one blended score."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt

from index_service.admission import Admission
from index_service.backends import make_backend
from index_service.checks import Checks
from index_service.item_table import ItemTable, ShardState
from index_service.live_index import LiveIndex, Source
from index_service.nearest import Plan, comparing, near_slots, plan_search, propose
from index_service.query import Query
from index_service.ranking import top
from index_service.slots import IntArray
from index_service.trend import Float64Array
from index_service.trend_pools import TrendPools
from schemas.recall import Channel, RecalledItem
from schemas.score import RECENT, SIMILAR, TAKEN, blended
from schemas.settings import Settings
from schemas.vectors import Float32Array, ItemVector

_CHANNELS: tuple[Channel, ...] = ("recent", "nearest", "similar", "trending")
_Marks = Mapping[str, tuple[IntArray, Float64Array]]


class Shard:
    """Vectors, counts and attributes by slot: the truth, on which every score is computed.

    From `exact_below` items on, a backend proposes the nearest ones. Any thread may call any
    method while others do. One lock guards the truth: a write holds it for some 10 us, a search
    twice for some 100 us. Nobody holds it while a backend is searched, written or built, or while
    vectors are compared by the thousand.
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
        """What a node reports of the shard."""
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

    def upsert(self, item: ItemVector) -> None:
        """Put or replace an item; every search that begins later sees it.

        Raises DecodeError, changing nothing, when a number is none.
        """
        with self._lock:
            slot, moved = self._items.put(item)
            self._pools.note(slot)
            if moved:
                self._live.note(item.item_id, self._items.slots.vectors[slot].copy())
        self._live.wake()

    def delete(self, item_id: str) -> None:
        """Take an item out; one that is not in is no error. No search that ends later has it."""
        with self._lock:
            slot = self._items.remove(item_id)
            if slot is not None:
                self._live.note(item_id, None)
        self._live.wake()

    def copied(self) -> Callable[[], ShardState]:
        """See `ItemTable.copied`: the items as they are now, for a snapshot."""
        with self._lock:
            return self._items.copied()

    def restore(self, state: ShardState) -> None:
        """Hold these items, and no others. A backend is built when `tend` is called next."""
        items = ItemTable.of(state)
        with self._lock:
            backend = self._live.drop()
            self._items = items
            self._pools = TrendPools(items, self._index.trending_pool)
        self._live.release(backend)

    def vector_of(self, item_id: str) -> Float32Array | None:
        """(dim,), a copy, or None; also of an item that is not available."""
        with self._lock:
            slot = self._items.slots.slot_of(item_id)
            return None if slot is None else self._items.slots.vectors[slot].copy()

    def tend(self) -> None:
        """What is to be done now and then: start to build a backend where it is due, and check.

        Due: the shard has grown to `exact_below` items, or the backend's dead share has passed
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
                self._live.build(Source(*self._items.slots.occupied(), self._items.slots.vectors))
        self._live.release(dropped)
        self._live.wake()
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
            plans = [plan_search(each, self._items, self._live, below) for each in queries]
        for plan in plans:
            if plan.fetched and plan.query.vector is not None:
                self._checks.saw(plan.query.vector)
        found = propose(plans, self._live)
        return [self._answer(*each) for each in zip(plans, found, strict=True)]

    def _answer(self, plan: Plan, found: list[str] | IntArray) -> list[RecalledItem]:
        with self._lock:
            ranked = self._ranked(plan, found)
        if ranked is None:  # a filter or deletes left less of what the backend gave than was wanted
            with self._lock:
                plan = comparing(plan)
            [found] = propose([plan], self._live)
            with self._lock:
                ranked = self._ranked(plan, found)
        return ranked or []

    def _ranked(self, plan: Plan, found: list[str] | IntArray) -> list[RecalledItem] | None:
        """None when the backend gave too few."""
        query, items, admitted = plan.query, plan.items, plan.admitted
        if items.version != admitted.version:
            admitted = Admission(items, query)
        marks = {name: self._marked(plan, values, admitted) for name, values in query.marks.items()}
        proposed = [(_channel_of(name), slots) for name, (slots, _) in marks.items()]
        proposed.append(("trending", self._trending(plan, admitted)))
        if plan.wanted:
            near = near_slots(plan, found, admitted)
            if near is None:
                return None
            proposed.append(("nearest", near))
        # An item comes by the first channel that proposes it.
        proposed.sort(key=lambda each: _CHANNELS.index(each[0]))
        slots, first = np.unique(np.concatenate([some for _, some in proposed]), return_index=True)
        codes = np.repeat(
            [_CHANNELS.index(channel) for channel, _ in proposed],
            [len(some) for _, some in proposed],
        )[first]
        return self._best(plan, slots, self._scores(plan, slots, marks), codes)

    def _scores(self, plan: Plan, slots: IntArray, marks: _Marks) -> Float64Array:
        """(slots,); `slots` go up."""
        query, vectors = plan.query, plan.items.slots.vectors
        cosines = np.zeros(len(slots)) if query.vector is None else vectors[slots] @ query.vector
        placed = {
            name: (np.searchsorted(slots, marked), values)
            for name, (marked, values) in marks.items()
        }
        biases = plan.items.trend.biases(query.weights, slots, query.trend_clock)
        return blended(cosines, query.scale, query.weights, biases, placed)

    def _marked(
        self, plan: Plan, values: Mapping[str, float], admitted: Admission
    ) -> tuple[IntArray, Float64Array]:
        """Slots of the admitted ones of these items, going up, and their values."""
        slot_of = plan.items.slots.slot_of
        value_at = {
            slot: value
            for item_id, value in values.items()
            if (slot := slot_of(item_id)) is not None
        }
        slots = admitted.keep(np.array(sorted(value_at), dtype=np.intp))
        return slots, np.array([value_at[slot] for slot in slots.tolist()], dtype=np.float64)

    def _trending(self, plan: Plan, admitted: Admission) -> IntArray:
        """Slots of the admitted items with the most bias: a share of k; k without a vector."""
        share = 1.0 if plan.query.vector is None else self._share
        count = math.ceil(share * plan.query.k)
        if plan.items is not self._items:  # restored meanwhile
            return np.empty(0, dtype=np.intp)
        return self._pools.best(plan.query, admitted, count)

    def _best(
        self, plan: Plan, slots: IntArray, scores: Float64Array, codes: npt.NDArray[np.intp]
    ) -> list[RecalledItem]:
        best = top(scores, plan.query.k)
        ids = plan.items.slots.ids_at(slots[best])
        channels = [_CHANNELS[code] for code in codes[best].tolist()]
        items = map(RecalledItem, ids, scores[best].tolist(), channels)
        return sorted(items, key=lambda item: (-item.score, item.item_id))


def _channel_of(mark: str) -> Channel:
    """The channel by which items with this mark come in."""
    if mark in (RECENT, TAKEN):
        return "recent"
    return "similar" if mark == SIMILAR else "trending"

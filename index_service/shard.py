"""One shard: a partition of the item vectors, searched by one blended score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt

from index_service.attributes import AttributeTable, BoolArray
from index_service.backend import Backend, unit_vector
from index_service.hnsw import HnswBackend
from index_service.query import Query
from index_service.ranking import top
from index_service.rebuild import GraphRebuild
from index_service.slots import IntArray, VectorSlots
from index_service.trend import Float64Array, TrendCounts
from schemas.errors import DecodeError
from schemas.recall import Channel, RecalledItem
from schemas.score import RECENT, SIMILAR, TAKEN, TOGETHER, blended
from schemas.settings import Settings
from schemas.vectors import Float32Array, ItemVector

_NEAREST_PER_K = 2
_NEAREST_MORE = 20
"""The nearest 2k + 20 by cosine are ranked by the blended score."""
_CHANNELS: tuple[Channel, ...] = ("recent", "nearest", "similar", "trending")


class Shard:
    """Vectors, counts and attributes by slot: the truth, on which every score is computed.

    From `exact_below` items on, a graph proposes the nearest ones. All methods belong to one
    thread; only the building of a new graph runs elsewhere, and `tend` takes it over.
    """

    def __init__(self, settings: Settings, executor: Executor) -> None:
        """`executor` builds graphs."""
        self._settings = settings
        self._executor = executor
        self._slots = VectorSlots(settings.towers.dim)
        self._trend = TrendCounts()
        self._attributes = AttributeTable()
        self._servable = np.zeros(self._slots.capacity, dtype=np.bool_)  # by slot
        self._graph: Backend | None = None
        self._rebuild: GraphRebuild | None = None

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def dead_share(self) -> float:
        """Of the graph; 0 without one."""
        return self._graph.dead_share if self._graph else 0.0

    @property
    def fields(self) -> set[str]:
        """Attributes that some item has."""
        return self._attributes.fields()

    def upsert(self, item: ItemVector) -> None:
        """Put or replace an item. Raises DecodeError, changing nothing, when a number is none."""
        vector = unit_vector(item.vector, self._slots.dim)
        for name, value in [("trend_clock", item.trend_clock), *item.counts.items()]:
            if not (math.isfinite(value) and value >= 0):
                msg = f"{name} must be finite and at least 0; got {value}; publish the item again"
                raise DecodeError(msg)
        known = self._slots.slot_of(item.item_id)
        moved = known is None or not np.array_equal(self._slots.vectors[known], vector)
        slot = self._slots.put(item.item_id, vector)
        if len(self._servable) < self._slots.capacity:
            self._servable = np.pad(self._servable, (0, self._slots.capacity - len(self._servable)))
        self._servable[slot] = item.available
        self._trend.put(slot, item, self._slots.capacity)
        self._attributes.put(slot, item.attributes, self._slots.capacity)
        if moved:
            self._change_graph(item.item_id, vector)

    def delete(self, item_id: str) -> None:
        """Take an item out; one that is not in is no error."""
        slot = self._slots.remove(item_id)
        if slot is not None:
            self._servable[slot] = False
            self._attributes.clear(slot)
            self._change_graph(item_id, None)

    def vector_of(self, item_id: str) -> Float32Array | None:
        """(dim,), or None; also of an item that is not available."""
        slot = self._slots.slot_of(item_id)
        return None if slot is None else self._slots.vectors[slot]

    def tend(self) -> None:
        """Take over a graph that is done, and start to build one where it is due.

        Due: the shard has grown to `exact_below` items, or the graph's dead share has passed
        `rebuild_dead_share`. A graph is dropped when half of `exact_below` is left.
        """
        config = self._settings.index
        if self._rebuild is not None:
            built = self._rebuild.result()
            if built is not None:
                self._graph, self._rebuild = built, None
        elif self._graph is None and len(self) >= max(config.exact_below, 1):
            self._start_rebuild()
        elif self._graph is not None and len(self) < config.exact_below / 2:
            self._graph = None
        elif self._graph is not None and self._graph.dead_share > config.rebuild_dead_share:
            self._start_rebuild()

    def close(self) -> None:
        """Stop building."""
        if self._rebuild is not None:
            self._rebuild.give_up()

    def search(self, query: Query) -> list[RecalledItem]:
        """The best min(k, allowed) items by falling score, ties by item id.

        Candidates come by the channels, out of the items that are available, meet the conditions
        and are not excluded: the nearest by cosine, the most trending, and those with a mark.
        """
        mask = self._allowed(query)
        allowed = np.flatnonzero(mask)  # slots
        channels = np.zeros(self._slots.used, dtype=np.int8)  # by slot; 0 is no candidate
        marks = {name: self._marked(values, mask) for name, values in query.marks.items()}
        proposed = [(_channel_of(name), slots) for name, (slots, _) in marks.items()]
        proposed.append(("trending", self._trending(query, allowed)))
        if query.vector is not None:
            proposed.append(("nearest", self._nearest(query, query.vector, allowed, mask)))
        for code, channel in reversed(list(enumerate(_CHANNELS, start=1))):
            for named, found in proposed:  # an item comes by the first channel that proposes it
                if named == channel:
                    channels[found] = code
        slots = np.flatnonzero(channels)
        return self._ranked(query.k, slots, self._scores(query, slots, marks), channels[slots])

    def _scores(
        self, query: Query, slots: IntArray, marks: Mapping[str, tuple[IntArray, Float64Array]]
    ) -> Float64Array:
        """(slots,); `slots` go up."""
        vector = query.vector
        cosines = np.zeros(len(slots)) if vector is None else self._slots.vectors[slots] @ vector
        placed = {
            name: (np.searchsorted(slots, marked), values)
            for name, (marked, values) in marks.items()
        }
        biases = self._trend.biases(query.weights, slots, query.trend_clock)
        return blended(cosines, query.scale, query.weights, biases, placed)

    def _marked(
        self, values: Mapping[str, float], mask: BoolArray
    ) -> tuple[IntArray, Float64Array]:
        """Slots of the allowed ones of these items, and their values."""
        found = [
            (slot, value)
            for item_id, value in values.items()
            if (slot := self._slots.slot_of(item_id)) is not None and mask[slot]
        ]
        slots = np.array([slot for slot, _ in found], dtype=np.intp)
        return slots, np.array([value for _, value in found], dtype=np.float64)

    def _allowed(self, query: Query) -> BoolArray:
        """(used,): the slots whose item may be returned."""
        allowed = self._servable[: self._slots.used].copy()
        if query.conditions:
            allowed &= self._attributes.mask(query.conditions, self._slots.used)
        allowed[self._slots.slots_of(list(query.exclude))] = False
        return allowed

    def _nearest(
        self, query: Query, vector: Float32Array, allowed: IntArray, mask: BoolArray
    ) -> IntArray:
        """Slots of the nearest allowed items."""
        count = min(_NEAREST_PER_K * query.k + _NEAREST_MORE, len(allowed))
        if self._graph is not None and len(allowed) >= max(self._settings.index.exact_below, 1):
            # The graph knows no filter, so it is asked for more. What is excluded was liked or
            # seen, so it lies near the query: it is counted in full.
            fetched = count * len(self) // len(allowed) + len(query.exclude)
            found = self._slots.slots_of(self._graph.search(vector, fetched).ids)
            proposed = found[mask[found]][:count]  # nearest first
            if len(proposed) >= count:
                return proposed
        # A gather of rows costs more than the product over all, unless few are left.
        if 4 * len(allowed) < self._slots.used:
            cosines = self._slots.vectors[allowed] @ vector  # (allowed,)
        else:
            cosines = (self._slots.vectors @ vector)[allowed]  # (allowed,)
        return allowed[top(cosines, count)]

    def _trending(self, query: Query, allowed: IntArray) -> IntArray:
        """Slots of the allowed items with the most bias: a share of k; k of them without vector."""
        share = 1.0 if query.vector is None else self._settings.index.trending_share
        count = math.ceil(share * query.k)
        biases = self._trend.biases(query.weights, allowed, query.trend_clock)
        trends = blended(np.zeros(len(allowed)), 0.0, query.weights, biases, {})
        return allowed[top(trends, count)]

    def _ranked(
        self, k: int, slots: IntArray, scores: Float64Array, codes: npt.NDArray[np.int8]
    ) -> list[RecalledItem]:
        items = [
            RecalledItem(
                self._slots.id_at(int(slots[at])), float(scores[at]), _CHANNELS[int(codes[at]) - 1]
            )
            for at in top(scores, k)
        ]
        return sorted(items, key=lambda item: (-item.score, item.item_id))

    def _change_graph(self, item_id: str, vector: Float32Array | None) -> None:
        if self._rebuild is not None:
            self._rebuild.note(item_id, vector)
        if self._graph is not None:
            if vector is None:
                self._graph.delete([item_id])
            else:
                self._graph.upsert([item_id], vector[np.newaxis])

    def _start_rebuild(self) -> None:
        ids, slots = self._slots.occupied()
        self._rebuild = GraphRebuild(
            lambda: HnswBackend(self._slots.dim, self._settings.index),
            ids,
            self._slots.vectors[slots],  # fancy indexing copies
            self._executor,
        )


def _channel_of(mark: str) -> Channel:
    """The channel by which items with this mark come in."""
    if mark in (RECENT, TAKEN):
        return "recent"
    return "similar" if mark in (SIMILAR, TOGETHER) else "trending"

"""The truth about a shard's items: vectors, counts, attributes and availability, by slot."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index_service.attributes import AttributeTable, BoolArray
from index_service.backend import unit_vector
from index_service.slots import VectorSlots
from index_service.trend import Float64Array, TrendCounts
from schemas.errors import DecodeError
from schemas.events import FeatureValue
from schemas.vectors import Float32Array, ItemVector


@dataclass(frozen=True)
class ShardState:
    """All items of a shard at one moment, in no order; nobody changes its arrays."""

    ids: list[str]
    """Distinct."""
    vectors: Float32Array
    """(items, dim), unit length."""
    available: BoolArray
    """(items,)"""
    clocks: Float64Array
    """(items,): where on the trainer's clock each item's counts are true."""
    counts: Mapping[str, Float64Array]
    """(items,) by name."""
    attributes: list[Mapping[str, FeatureValue]]
    """One for each item."""
    trend_clock: float = 0.0
    """The newest clock that an item ever came with."""
    step: int = 0
    """The newest trainer step likewise."""


class ItemTable:
    """Items by slot. Its caller sees to it that one thread at a time is inside."""

    def __init__(self, dim: int) -> None:
        self.slots = VectorSlots(dim)
        self.trend = TrendCounts()
        self.attributes = AttributeTable()
        self.servable: BoolArray = np.zeros(self.slots.capacity, dtype=np.bool_)  # by slot
        self.available = 0
        """How many items are servable."""
        self.version = 0
        """Grows with every change."""
        self.trend_clock = 0.0
        self.step = 0

    @classmethod
    def of(cls, state: ShardState) -> ItemTable:
        """The items of a state, in slots 0, 1, ..."""
        made = cls(state.vectors.shape[1])
        made.slots = VectorSlots.of(state.ids, state.vectors.copy())
        counts = {name: array.copy() for name, array in state.counts.items()}
        made.trend = TrendCounts.of(counts, state.clocks.copy())
        for slot, attributes in enumerate(state.attributes):
            if attributes:
                made.attributes.put(slot, attributes, made.slots.capacity)
        made.servable = _grown(state.available.copy(), made.slots.capacity)
        made.available = int(np.count_nonzero(made.servable))
        made.trend_clock, made.step = state.trend_clock, state.step
        return made

    def put(self, item: ItemVector) -> tuple[int, bool]:
        """Put or replace an item; its slot, and whether its vector is another than before.

        Raises DecodeError, changing nothing, when a number is none.
        """
        vector = unit_vector(item.vector, self.slots.dim)
        for name, value in [("trend_clock", item.trend_clock), *item.counts.items()]:
            if not (math.isfinite(value) and value >= 0):
                msg = f"{name} must be finite and at least 0; got {value}; publish the item again"
                raise DecodeError(msg)
        known = self.slots.slot_of(item.item_id)
        moved = known is None or self.slots.vectors[known].tobytes() != vector.tobytes()
        slot = self.slots.put(item.item_id, vector)
        self.servable = _grown(self.servable, self.slots.capacity)
        self._serve(slot, item.available)
        self.trend.put(slot, item, self.slots.capacity)
        self.attributes.put(slot, item.attributes, self.slots.capacity)
        self.trend_clock = max(self.trend_clock, item.trend_clock)
        self.step = max(self.step, item.step)
        self.version += 1
        return slot, moved

    def remove(self, item_id: str) -> int | None:
        """The slot that the item had, which is free now; None when the item is not in."""
        slot = self.slots.remove(item_id)
        if slot is not None:
            self._serve(slot, False)
            self.attributes.clear(slot)
            self.version += 1
        return slot

    def copied(self) -> Callable[[], ShardState]:
        """Copy what is needed, quickly (20 ms for 200,000 items); the call makes the state of it.

        The call may run in another thread, later.
        """
        slots, used = self.slots, self.slots.used
        items, vectors = slots.items_by_slot(), slots.vectors.copy()
        servable = self.servable[:used].copy()
        counts, clocks = self.trend.copied(used)
        attributes = self.attributes.by_slot()
        trend_clock, step = self.trend_clock, self.step

        def state() -> ShardState:
            kept = [slot for slot, item_id in enumerate(items) if item_id is not None]
            at: npt.NDArray[np.intp] = np.array(kept, dtype=np.intp)
            return ShardState(
                ids=[item_id for item_id in items if item_id is not None],
                vectors=vectors[at],
                available=servable[at],
                clocks=clocks[at],
                counts={name: array[at] for name, array in counts.items()},
                attributes=[attributes.get(slot, {}) for slot in kept],
                trend_clock=trend_clock,
                step=step,
            )

        return state

    def _serve(self, slot: int, servable: bool) -> None:
        self.available += int(servable) - int(self.servable[slot])
        self.servable[slot] = servable


def _grown(flags: BoolArray, capacity: int) -> BoolArray:
    return flags if len(flags) >= capacity else np.pad(flags, (0, capacity - len(flags)))

"""A growing array of vectors with a slot for each item id."""

from __future__ import annotations

from collections.abc import Collection
from itertools import repeat
from typing import cast

import numpy as np
import numpy.typing as npt

from schemas.vectors import Float32Array

IntArray = npt.NDArray[np.intp]

_FIRST_CAPACITY = 256


class VectorSlots:
    """Item ids to slots and back, and the vectors by slot. Freed slots are used again."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._vectors = np.zeros((_FIRST_CAPACITY, dim), dtype=np.float32)
        self._slot_of: dict[str, int] = {}
        self._id_at: list[str | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._slot_of)

    @property
    def used(self) -> int:
        """Slots ever given out: every slot is below this."""
        return len(self._id_at)

    @property
    def capacity(self) -> int:
        """Slots that there is room for; arrays kept beside this one grow to it."""
        return len(self._vectors)

    @property
    def vectors(self) -> Float32Array:
        """(used, dim), a view; rows of freed slots hold anything finite."""
        return self._vectors[: self.used]

    def put(self, item_id: str, vector: Float32Array) -> int:
        """Set the item's vector (dim,); its slot, which stays the same until it is removed."""
        slot = self._slot_of.get(item_id)
        if slot is None:
            slot = self._take_slot(item_id)
        self._vectors[slot] = vector
        return slot

    def put_many(self, ids: Collection[str], vectors: Float32Array) -> IntArray:
        """`put` for each of `vectors` (len(ids), dim) of distinct ids; their slots (len(ids),)."""
        known = map(self._slot_of.get, ids)
        slots = [
            self._take_slot(item_id) if slot is None else slot
            for item_id, slot in zip(ids, known, strict=True)
        ]
        at: IntArray = np.array(slots, dtype=np.intp)
        self._vectors[at] = vectors
        return at

    def remove(self, item_id: str) -> int | None:
        """Free the item's slot; the slot, or None when the item is not in."""
        slot = self._slot_of.pop(item_id, None)
        if slot is not None:
            self._id_at[slot] = None
            self._free.append(slot)
        return slot

    def slot_of(self, item_id: str) -> int | None:
        """The item's slot, or None."""
        return self._slot_of.get(item_id)

    def slots_of(self, ids: Collection[str]) -> IntArray:
        """Slots of those ids that are in."""
        found = self.places_of(ids)
        return found[found >= 0]  # (at most len(ids),)

    def places_of(self, ids: Collection[str]) -> IntArray:
        """(len(ids),): the slot of each, -1 where it is not in."""
        return np.fromiter(map(self._slot_of.get, ids, repeat(-1)), np.intp, len(ids))

    def ids_at(self, slots: IntArray) -> list[str]:
        """The items in these slots. Raises LookupError when one is free."""
        id_at = self._id_at
        ids = [*map(id_at.__getitem__, slots.tolist())]
        if None in ids:
            msg = f"slot {slots[ids.index(None)]} is free"
            raise LookupError(msg)
        return cast(list[str], ids)

    def _take_slot(self, item_id: str) -> int:
        if self._free:
            slot = self._free.pop()
            self._id_at[slot] = item_id
        else:
            slot = len(self._id_at)
            self._id_at.append(item_id)
            if slot >= self.capacity:
                capacity = max(2 * self.capacity, _FIRST_CAPACITY)
                grown = np.zeros((capacity, self.dim), dtype=np.float32)
                grown[:slot] = self._vectors
                self._vectors = grown
        self._slot_of[item_id] = slot
        return slot

"""Vectors by key: what backends keep that leave them to nobody else."""

from __future__ import annotations

import numpy as np

from index_service.attributes import BoolArray
from index_service.slots import IntArray
from schemas.vectors import Float32Array

_FIRST_CAPACITY = 256


class KeyedVectors:
    """A row for each key from 0 to the largest; its caller lets one thread at a time write."""

    def __init__(self, dim: int) -> None:
        self.rows = np.zeros((_FIRST_CAPACITY, dim), dtype=np.float32)
        """(capacity, dim); anything finite where no key is held."""
        self.held: BoolArray = np.zeros(_FIRST_CAPACITY, dtype=np.bool_)
        """(capacity,)"""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> IntArray:
        """(len,), going up."""
        return np.flatnonzero(self.held)

    def put(self, keys: IntArray, vectors: Float32Array) -> None:
        """Put or replace `vectors` (len(keys), dim) of distinct keys."""
        missing = int(keys.max(initial=-1)) + 1 - len(self.held)
        if missing > 0:
            more = max(missing, len(self.held))
            self.rows = np.pad(self.rows, ((0, more), (0, 0)))
            self.held = np.pad(self.held, (0, more))
        self._count += int(np.count_nonzero(~self.held[keys]))
        self.rows[keys] = vectors
        self.held[keys] = True

    def among(self, keys: IntArray) -> IntArray:
        """Those of distinct keys that are held."""
        known = keys[keys < len(self.held)]
        return known[self.held[known]]

    def remove(self, keys: IntArray) -> None:
        """Hold these no longer: distinct keys that are held."""
        self.held[keys] = False
        self._count -= len(keys)

"""Sums by item, at a cost that does not depend on how many items there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from towers.arrays import Doubles, Ints, grown

Listed = tuple[Ints, Doubles]
"""Items by row, distinct, and what they have."""

Values = npt.NDArray[np.float64] | npt.NDArray[np.float32]

_FEW = 8  # so many times what is named: to look at all then costs less


class SparseSums:
    """Adds up what few of the items have.

    In sums of all items, which are 0 between two calls: what is not named costs nothing.
    """

    def __init__(self) -> None:
        self._sums: Doubles = np.zeros(0)  # (items,), zeros
        self._places = np.zeros(0, np.int32)  # (items,), anything

    def of(self, items: npt.NDArray[Any], values: Values, unwanted: Ints, known: int) -> Listed:
        """The distinct items that have any, without the unwanted, and the sum of each.

        items: (any,), each below `known`; values: (any,).
        """
        if known < _FEW * len(items):
            whole = np.asarray(np.bincount(items, values, known), np.float64)
            whole[unwanted[unwanted < known]] = 0.0
            there = np.flatnonzero(whole)
            return there, whole[there]
        self._sums, self._places = grown(self._sums, known), grown(self._places, known)
        np.add.at(self._sums, items, values.astype(np.float64, copy=False))  # mixed: slow
        self._sums[unwanted[unwanted < known]] = 0.0
        numbers = np.arange(len(items), dtype=np.int32)
        self._places[items] = numbers
        distinct = items[self._places[items] == numbers].astype(np.int64)  # where each comes last
        sums = self._sums[distinct]
        self._sums[items] = 0.0
        named = sums != 0
        return distinct[named], sums[named]

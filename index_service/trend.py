"""What is popular now: counts of each item that fade as the trainer's clock goes on.

Forward decay (Cormode et al., ICDE 2009): a count is kept as it was at its own clock, and halves
for each half-life between that clock and the one it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray
from schemas.score import bias, faded, half_life_of
from schemas.vectors import ItemVector

Float64Array = npt.NDArray[np.float64]


class TrendCounts:
    """Decayed counts by name and slot, each true at the slot's own clock."""

    def __init__(self) -> None:
        self._counts: dict[str, Float64Array] = {}
        self._clocks = np.zeros(0)

    @classmethod
    def of(cls, counts: Mapping[str, Float64Array], clocks: Float64Array) -> TrendCounts:
        """Counts by name and clocks, (slots,) each, which it takes over."""
        made = cls()
        made._counts, made._clocks = dict(counts), clocks
        return made

    def copied(self, used: int) -> tuple[dict[str, Float64Array], Float64Array]:
        """Counts by name and clocks, copies of (used,) each."""
        counts = {name: array[:used].copy() for name, array in self._counts.items()}
        return counts, self._clocks[:used].copy()

    def put(self, slot: int, item: ItemVector, capacity: int) -> None:
        """Take over the item's counts; `capacity` is above every slot in use."""
        if len(self._clocks) < capacity:
            missing = (0, capacity - len(self._clocks))
            self._counts = {name: np.pad(array, missing) for name, array in self._counts.items()}
            self._clocks = np.pad(self._clocks, missing)
        for name in item.counts.keys() - self._counts.keys():
            self._counts[name] = np.zeros(len(self._clocks))
        for name, array in self._counts.items():
            array[slot] = item.counts.get(name, 0.0)
        self._clocks[slot] = item.trend_clock

    def biases(
        self, weights: Mapping[str, float], slots: IntArray, clock: float
    ) -> dict[str, Float64Array]:
        """(len(slots),) each: the signals of the counts that have a weight, at `clock`."""
        found: dict[str, Float64Array] = {}
        ages = clock - self._clocks[slots]
        for name, array in self._counts.items():
            half_life = half_life_of(name)
            if half_life is not None and weights.get(name, 0.0):
                found[name] = bias(faded(array[slots], ages, half_life))
        return found

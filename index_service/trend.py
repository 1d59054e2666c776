"""What is popular now: counts of each item that fade as the trainer's clock goes on.

Forward decay (Cormode et al., ICDE 2009): a count is kept as it was at its own clock, and halves
for each half-life between that clock and the one it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray
from schemas.vectors import ItemVector

Float64Array = npt.NDArray[np.float64]

POSITIVES = "positives"
EXPOSURES = "exposures"


class TrendCounts:
    """Counts of positives and exposures by slot, each true at the slot's own clock."""

    def __init__(self) -> None:
        self._counts = {name: np.zeros(0) for name in (POSITIVES, EXPOSURES)}
        self._clocks = np.zeros(0)

    def put(self, slot: int, item: ItemVector, capacity: int) -> None:
        """Take over the item's counts; `capacity` is above every slot in use."""
        if len(self._clocks) < capacity:
            missing = (0, capacity - len(self._clocks))
            self._counts = {name: np.pad(array, missing) for name, array in self._counts.items()}
            self._clocks = np.pad(self._clocks, missing)
        self._counts[POSITIVES][slot] = item.positives
        self._counts[EXPOSURES][slot] = item.exposures
        self._clocks[slot] = item.trend_clock

    def decayed(self, name: str, slots: IntArray, clock: float, half_life: float) -> Float64Array:
        """(len(slots),): counts at `clock`; a count from after it is taken as it is."""
        ages = np.maximum(clock - self._clocks[slots], 0.0)
        return np.asarray(self._counts[name][slots] * np.exp2(-ages / half_life))

    def biases(
        self, weights: Mapping[str, float], slots: IntArray, clock: float, half_life: float
    ) -> Float64Array:
        """(len(slots),): sum of weight * log(1 + count) over the counts that have a weight."""
        total = np.zeros(len(slots))
        for name in (POSITIVES, EXPOSURES):
            weight = weights.get(name, 0.0)
            if weight:
                total += weight * np.log1p(self.decayed(name, slots, clock, half_life))
        return total

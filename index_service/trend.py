"""What is popular now: counts of each item that fade as the trainer's clock goes on.

Forward decay (Cormode et al., ICDE 2009): a count is kept as it was at its own clock, and halves
for each half-life between that clock and the one it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray
from schemas.score import bias, faded, half_life_of
from schemas.vectors import ItemVector

Float64Array = npt.NDArray[np.float64]


class TrendCounts:
    """Decayed counts by slot and name, each true at the slot's own clock."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._counts: Float64Array = np.zeros((0, 0))  # (slots, names)
        self._clocks: Float64Array = np.zeros(0)

    def at(self, slots: IntArray) -> tuple[dict[str, Float64Array], Float64Array]:
        """Counts by name and clocks, copies of (len(slots),) each."""
        columns = self._counts[slots].T.copy()  # (names, slots)
        return dict(zip(self._names, columns, strict=True)), self._clocks[slots]

    def put(self, slot: int, item: ItemVector, capacity: int) -> None:
        """Take over the item's counts; `capacity` is above every slot in use."""
        self._make_room(item.counts, capacity)
        self._counts[slot] = [item.counts.get(name, 0.0) for name in self._names]
        self._clocks[slot] = item.trend_clock

    def put_many(
        self,
        slots: IntArray,
        counts: Mapping[str, Float64Array],
        clocks: Float64Array,
        capacity: int,
    ) -> None:
        """Take over counts by name and clocks, (len(slots),) each."""
        self._make_room(counts, capacity)
        none = np.zeros(len(slots))
        for place, name in enumerate(self._names):
            self._counts[slots, place] = counts.get(name, none)
        self._clocks[slots] = clocks

    def _make_room(self, names: Iterable[str], capacity: int) -> None:
        missing = max(0, capacity - len(self._clocks))
        new = [name for name in names if name not in self._names]
        if missing or new:
            self._names += new
            self._counts = np.pad(self._counts, ((0, missing), (0, len(new))))
            self._clocks = np.pad(self._clocks, (0, missing))

    def biases(
        self, weights: Mapping[str, float], slots: IntArray, clock: float
    ) -> dict[str, Float64Array]:
        """(len(slots),) each: the signals of the counts that have a weight, at `clock`."""
        half_lives = {
            place: half_life
            for place, name in enumerate(self._names)
            if weights.get(name, 0.0) and (half_life := half_life_of(name)) is not None
        }
        # All at once: a query asks for few slots, and each numpy call costs as much as hundreds.
        ages = (clock - self._clocks[slots])[:, np.newaxis]
        counts = self._counts.take(slots, axis=0)  # (slots, names)
        if len(half_lives) < len(self._names):
            counts = counts[:, list(half_lives)]
        found = bias(faded(counts, ages, np.array([*half_lives.values()])))
        return {self._names[place]: found[:, at] for at, place in enumerate(half_lives)}

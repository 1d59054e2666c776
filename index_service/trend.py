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
    """Decayed counts by slot and name, each true at the slot's own clock."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._counts: Float64Array = np.zeros((0, 0))  # (slots, names)
        self._clocks: Float64Array = np.zeros(0)

    @classmethod
    def of(cls, counts: Mapping[str, Float64Array], clocks: Float64Array) -> TrendCounts:
        """Counts by name and clocks, (slots,) each; it takes the clocks over."""
        made = cls()
        made._names, made._clocks = list(counts), clocks
        made._counts = (
            np.stack([*counts.values()], axis=1) if counts else np.zeros((len(clocks), 0))
        )
        return made

    def copied(self, used: int) -> tuple[dict[str, Float64Array], Float64Array]:
        """Counts by name and clocks, copies of (used,) each."""
        columns = self._counts[:used].T.copy()  # (names, used)
        return dict(zip(self._names, columns, strict=True)), self._clocks[:used].copy()

    def put(self, slot: int, item: ItemVector, capacity: int) -> None:
        """Take over the item's counts; `capacity` is above every slot in use."""
        if len(self._clocks) < capacity:
            missing = capacity - len(self._clocks)
            self._counts = np.pad(self._counts, ((0, missing), (0, 0)))
            self._clocks = np.pad(self._clocks, (0, missing))
        new = [name for name in item.counts if name not in self._names]
        if new:
            self._names += new
            self._counts = np.pad(self._counts, ((0, 0), (0, len(new))))
        self._counts[slot] = [item.counts.get(name, 0.0) for name in self._names]
        self._clocks[slot] = item.trend_clock

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
        counts = self._counts[slots][:, list(half_lives)]  # (slots, names)
        found = bias(faded(counts, ages, np.array([*half_lives.values()])))
        return {self._names[place]: found[:, at] for at, place in enumerate(half_lives)}

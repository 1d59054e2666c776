"""Running mean and deviation of a numeric feature, to standardise it online."""

from __future__ import annotations

import math

import numpy as np

from towers.arrays import Doubles, Ints

CLIP = 3.0
"""A standardised value beyond this many deviations counts as this many: outliers must not rule."""


class Moments:
    """Welford's mean and variance of the values so far."""

    OFFSETS = 1
    """One embedding row, whatever the value."""

    def __init__(self, state: list[float] | None = None) -> None:
        self._count, self._mean, self._square = state or (0.0, 0.0, 0.0)

    def observe(self, value: float) -> None:
        """Take a value into account."""
        self._count += 1
        delta = value - self._mean
        self._mean += delta / self._count
        self._square += delta * (value - self._mean)  # sum of squared distances from the mean

    def read(self, raw: Doubles) -> tuple[Ints, Doubles]:
        """Offset 0 and (raw - mean) / deviation, clipped to +-3; 0 until two values differed."""
        deviation = math.sqrt(self._square / self._count) if self._count else 0.0
        scaled = (raw - self._mean) / deviation if deviation else np.zeros(len(raw))
        return np.zeros(len(raw), np.int64), np.clip(scaled, -CLIP, CLIP)

    def state(self) -> list[float]:
        """For a checkpoint."""
        return [self._count, self._mean, self._square]

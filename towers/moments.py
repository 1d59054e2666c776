"""Running mean and variance per row, to standardise numeric features online."""

from __future__ import annotations

import numpy as np

from towers.arrays import Doubles, Floats, Ints, State, array_of, grown, tensor_of

CLIP = 3.0
"""A standardised value beyond this many deviations counts as this many: outliers must not rule."""


class Moments:
    """Welford's mean and variance of the values of each numeric row; other rows pass unchanged.

    The raw value is kept beside each use and standardised when read, so that an early value is
    not stuck with the little that was known when it came.
    """

    def __init__(self) -> None:
        self._count: Doubles = np.zeros(0)
        self._mean: Doubles = np.zeros(0)
        self._square: Doubles = np.zeros(0)  # sum of squared distances from the mean
        self._inverse: Doubles = np.zeros(0)  # 1 / deviation; 0 until two values differ

    def observe(self, row: int, value: float) -> None:
        """Take a value of a numeric row into account."""
        if row >= len(self._count):
            for name in ("_count", "_mean", "_square", "_inverse"):
                setattr(self, name, grown(getattr(self, name), row + 1))
        self._count[row] += 1
        delta = value - self._mean[row]
        self._mean[row] += delta / self._count[row]
        self._square[row] += delta * (value - self._mean[row])
        variance = self._square[row] / self._count[row]
        self._inverse[row] = 1 / np.sqrt(variance) if variance > 0 else 0.0

    def standardise(self, rows: Ints, raw: Doubles) -> Floats:
        """Weights of (row, raw value): (raw - mean) / deviation, clipped to +-3, where numeric.

        A numeric row that saw one value only gives 0.
        """
        if not len(self._count):
            return raw.astype(np.float32)
        within = np.minimum(rows, len(self._count) - 1)
        numeric = (rows < len(self._count)) & (self._count[within] > 0)
        scaled = (raw - self._mean[within]) * self._inverse[within]
        return np.where(numeric, np.clip(scaled, -CLIP, CLIP), raw).astype(np.float32)

    def state(self) -> State:
        """For a checkpoint."""
        arrays = {"count": self._count, "mean": self._mean, "square": self._square}
        return {name: tensor_of(array) for name, array in arrays.items()} | {
            "inverse": tensor_of(self._inverse)
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._count, self._mean = array_of(state["count"]), array_of(state["mean"])
        self._square, self._inverse = array_of(state["square"]), array_of(state["inverse"])

"""Buckets of a numeric feature that hold equally many of its values, online."""

from __future__ import annotations

import numpy as np
import xxhash

from towers.arrays import Doubles, Ints

BUCKETS = 16
SAMPLE = 1_024
"""Values kept: a bound lies within .05 of its rank, nearly always."""


class Quantiles:
    """A uniform sample of all values so far (Vitter, 1985, algorithm R), and its quantiles.

    Which value a new one replaces is a hash of how many there were: the same values give the same
    buckets, also after a restart. Bytes: 8 a sampled value.
    """

    OFFSETS = BUCKETS
    """Embedding rows, one a bucket."""

    def __init__(self, state: list[float] | None = None) -> None:
        self._count, *sample = state or [0.0]
        self._sample: Doubles = np.array(sample)
        self._bounds: Doubles | None = None  # of the sample as it is

    def observe(self, value: float) -> None:
        """Take a value into account."""
        self._count += 1
        place = xxhash.xxh3_64_intdigest(b"%d" % self._count) % int(self._count)
        if len(self._sample) < SAMPLE:
            self._sample = np.append(self._sample, value)
        elif place < SAMPLE:
            self._sample[place] = value
        else:
            return
        self._bounds = None

    def read(self, raw: Doubles) -> tuple[Ints, Doubles]:
        """The bucket of each value, a bound belonging to the one above, and weight 1."""
        if self._bounds is None:
            self._bounds = np.quantile(self._sample, np.arange(1, BUCKETS) / BUCKETS)
        return np.searchsorted(self._bounds, raw, side="right"), np.ones(len(raw))

    def state(self) -> list[float]:
        """For a checkpoint."""
        return [self._count, *self._sample.tolist()]

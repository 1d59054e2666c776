"""How much each item is taken and shown lately: forward-decayed counts at several half-lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.score import bias, count_names, unbiased
from towers.arrays import Doubles, Floats, Ints, State, array_of, grown, tensor_of

_LEAST = 1e-4  # a thousandth of the score's prior
_RENORMALISE = 256.0  # half-lives after which a landmark moves up


class TrendCounts(NamedTuple):
    """Decayed counts of all items at one clock; a view, true until the next event."""

    grown: Doubles
    """(items, counts): times `growth`."""
    growth: Doubles
    """(counts,)"""
    clock: float

    def at(self, rows: Ints) -> Doubles:
        """(rows, counts): by item and name."""
        counts: Doubles = self.grown[rows] / self.growth
        return counts

    def named(self, rows: Ints, names: Sequence[str]) -> list[dict[str, float]]:
        """Items' counts by name; what has next to no weight in any score is left out."""
        return [
            {name: count for name, count in zip(names, counts, strict=True) if count > _LEAST}
            for counts in self.at(rows).tolist()
        ]

    def copied(self) -> TrendCounts:
        """The same, and it stays as it is."""
        return self._replace(grown=self.grown.copy())

    def biases(self) -> Floats:
        """(counts, items): the signal of every count; a copy, which stays as it is."""
        # Doubles to divide, as grown counts are large; then as floats, which takes half as long.
        signals: Floats = bias((self.grown / self.growth).T.astype(np.float32, order="C"))
        return signals


class Trend:
    """Counts of positives and exposures per item, halved every so many positives of anyone.

    Forward decay (Cormode et al., ICDE 2009): a count grows by 2^((clock - landmark) / half-life)
    and is divided by the same when read, so that time passes without touching an item. A
    landmark moves up now and then, by a power of two, which rounds nothing and never overflows.
    """

    def __init__(self, half_lives: Sequence[float]) -> None:
        self.names = count_names(half_lives)
        """Of the counts, as `TrendCounts` has them."""
        self.half_lives: Doubles = np.array([*half_lives, *half_lives], np.float64)  # (counts,)
        self._kinds = len(half_lives)
        self._counts: Doubles = np.zeros((0, len(self.names)))  # (items, counts)
        self._spans: list[float] = self.half_lives.tolist()
        self._landmarks: list[float] = [0.0] * len(self.names)
        self._growth: list[float] = [1.0] * len(self.names)
        self.clock = 0
        """Positives so far."""

    def add_positive(self, item: int) -> None:
        """The clock ticks and the item was taken."""
        self.clock += 1
        self._grow()
        self._counts = grown(self._counts, item + 1)
        for kind in range(self._kinds):
            self._counts[item, kind] += self._growth[kind]

    def add_exposures(self, item: int, count: int) -> None:
        """The item was shown so many times."""
        self._counts = grown(self._counts, item + 1)
        for kind in range(self._kinds, len(self._growth)):
            self._counts[item, kind] += count * self._growth[kind]

    def counts(self, items: int) -> TrendCounts:
        """Of the first `items` rows, as of now."""
        self._counts = grown(self._counts, items)
        return TrendCounts(self._counts[:items], np.array(self._growth), float(self.clock))

    def take_exposure_back(self, biases: Floats) -> None:
        """Make one item's signals (counts,) what they would be with one exposure less, just now."""
        counts = unbiased(biases[self._kinds :])
        biases[self._kinds :] = bias(np.maximum(counts - 1, 0))

    def _grow(self) -> None:
        for kind, half_life in enumerate(self._spans):  # a handful: numpy would take longer
            passed = (self.clock - self._landmarks[kind]) / half_life
            if passed > _RENORMALISE:
                self._landmarks[kind] += _RENORMALISE * half_life
                self._counts[:, kind] *= 2**-_RENORMALISE
                passed -= _RENORMALISE
            self._growth[kind] = 2.0**passed

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "clock": self.clock,
            "landmarks": tensor_of(np.array(self._landmarks, np.float64)),
            "growth": tensor_of(np.array(self._growth, np.float64)),
            "counts": tensor_of(self._counts),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.clock = state["clock"]
        self._landmarks = state["landmarks"].tolist()
        self._growth = state["growth"].tolist()
        self._counts = array_of(state["counts"])

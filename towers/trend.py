"""How much each item is taken and shown lately: forward-decayed counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from towers.arrays import Doubles, State, array_of, grown, tensor_of

_RENORMALISE = 64.0  # half-lives after which the landmark moves up


class TrendCounts(NamedTuple):
    """Decayed counts of all items at one clock."""

    positives: Doubles
    exposures: Doubles
    clock: float


class Trend:
    """Counts of positives and exposures per item, halved every `half_life` positives of anyone.

    Forward decay (Cormode et al., ICDE 2009): a count grows by 2^((clock - landmark) / half-life)
    and is divided by the same when read, so that time passes without touching an item. The
    landmark moves up now and then, by a power of two, which rounds nothing and never overflows.
    """

    def __init__(self, half_life: float) -> None:
        self._half_life = half_life
        self._positives: Doubles = np.zeros(0)
        self._exposures: Doubles = np.zeros(0)
        self._landmark = 0.0
        self.clock = 0
        """Positives so far."""

    def add_positive(self, item: int) -> None:
        """The clock ticks and the item was taken."""
        self.clock += 1
        if self.clock - self._landmark > _RENORMALISE * self._half_life:
            self._landmark += _RENORMALISE * self._half_life
            self._positives *= 2**-_RENORMALISE
            self._exposures *= 2**-_RENORMALISE
        self._positives = grown(self._positives, item + 1)
        self._positives[item] += self._growth()

    def add_exposures(self, item: int, count: int) -> None:
        """The item was shown so many times."""
        self._exposures = grown(self._exposures, item + 1)
        self._exposures[item] += count * self._growth()

    def counts(self, items: int) -> TrendCounts:
        """(items,) counts of the first `items` rows, as of now."""
        self._positives = grown(self._positives, items)
        self._exposures = grown(self._exposures, items)
        growth = self._growth()
        return TrendCounts(
            self._positives[:items] / growth, self._exposures[:items] / growth, float(self.clock)
        )

    def _growth(self) -> float:
        return float(2 ** ((self.clock - self._landmark) / self._half_life))

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "clock": self.clock,
            "landmark": self._landmark,
            "positives": tensor_of(self._positives),
            "exposures": tensor_of(self._exposures),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.clock, self._landmark = state["clock"], state["landmark"]
        self._positives = array_of(state["positives"])
        self._exposures = array_of(state["exposures"])


def decayed(counts: Doubles, at: Doubles, clock: float, half_life: float) -> Doubles:
    """Counts that were true at the clocks `at`, as they are at `clock`."""
    faded: Doubles = counts * np.exp2((at - clock) / half_life)
    return faded

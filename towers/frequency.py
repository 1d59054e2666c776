"""Streaming estimate of how often an item is a positive."""

from __future__ import annotations

import numpy as np

from towers.arrays import Doubles, Floats, Ints, State, array_of, grown, tensor_of

ALPHA = 0.05
"""Weight of the newest gap once an item has been seen often."""


class FrequencyEstimate:
    """Gap between an item's positives by moving average; its frequency is 1 / gap.

    Yi et al., "Sampling-Bias-Corrected Neural Modeling", RecSys 2019, algorithm 3, with three
    changes: exact rows instead of hashed ones; time counted in positives, not batches, so that
    the estimate does not depend on the size of a batch; and a plain mean of an item's first 1 /
    ALPHA gaps. The first gap, which nobody saw, counts as the larger of the positives so far and
    the items known.
    """

    def __init__(self) -> None:
        self._clock = 0
        # (items, 3): clock of the last positive, gap, positives seen; together, as they are used.
        self._known: Doubles = np.zeros((0, 3))

    def observe(self, item: int, items: int) -> None:
        """The next positive is of this item; `items` are known."""
        self._known = grown(self._known, item + 1)
        self._clock += 1
        last, gap, seen = self._known[item].tolist()
        newest = self._clock - last if seen else max(self._clock, items, 1)
        gap += max(ALPHA, 1 / (seen + 1)) * (newest - gap)
        self._known[item] = self._clock, gap, seen + 1

    def frequencies(self, items: Ints) -> Floats:
        """Probability that the next positive is of each item; 0 for one never seen."""
        if not len(self._known):
            return np.zeros(len(items), np.float32)
        within = np.minimum(items, len(self._known) - 1)
        gaps = np.where(items < len(self._known), self._known[within, 1], 0.0)
        return np.divide(1, gaps, out=np.zeros(len(items)), where=gaps > 0).astype(np.float32)

    def state(self) -> State:
        """For a checkpoint."""
        return {"clock": self._clock, "known": tensor_of(self._known)}

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._clock, self._known = state["clock"], array_of(state["known"])


def expected_counts(frequencies: Floats, rows: int, uniform: int, items: int) -> Floats:
    """(columns,): expected times an item is among the columns: batch plus uniform draws.

    frequencies: (columns,), probability that the next positive is that column's item.
    """
    counts: Floats = rows * frequencies + np.float32(uniform / max(items, 1))
    return counts

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
        self._last: Doubles = np.zeros(0)
        self._gap: Doubles = np.zeros(0)
        self._seen: Doubles = np.zeros(0)

    def observe(self, item: int, items: int) -> None:
        """The next positive is of this item; `items` are known."""
        self._last = grown(self._last, item + 1)
        self._gap = grown(self._gap, item + 1)
        self._seen = grown(self._seen, item + 1)
        self._clock += 1
        seen = self._seen[item]
        gap = self._clock - self._last[item] if seen else max(self._clock, items, 1)
        self._gap[item] += max(ALPHA, 1 / (seen + 1)) * (gap - self._gap[item])
        self._last[item] = self._clock
        self._seen[item] = seen + 1

    def frequencies(self, items: Ints) -> Floats:
        """Probability that the next positive is of each item; 0 for one never seen."""
        if not len(self._gap):
            return np.zeros(len(items), np.float32)
        within = np.minimum(items, len(self._gap) - 1)
        gaps = np.where(items < len(self._gap), self._gap[within], 0.0)
        return np.divide(1, gaps, out=np.zeros(len(items)), where=gaps > 0).astype(np.float32)

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "clock": self._clock,
            "last": tensor_of(self._last),
            "gap": tensor_of(self._gap),
            "seen": tensor_of(self._seen),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._clock = state["clock"]
        self._last, self._gap = array_of(state["last"]), array_of(state["gap"])
        self._seen = array_of(state["seen"])


def expected_counts(frequencies: Floats, rows: int, uniform: int, items: int) -> Floats:
    """(columns,): expected times an item is among the columns: batch plus uniform draws.

    frequencies: (columns,), probability that the next positive is that column's item.
    """
    counts: Floats = rows * frequencies + np.float32(uniform / max(items, 1))
    return counts

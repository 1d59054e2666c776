"""Live recall: each positive is ranked among all items before it is learned."""

from __future__ import annotations

from towers.arrays import Ints

_CELLS = 100_000  # positives times items ranked at once; about 5 ms at 64 dimensions
_WINDOW = 2_000  # positives that the average looks back on, about


class RecallMeter:
    """Exponentially weighted share of positives that were within the first 10 and 50."""

    def __init__(self) -> None:
        self._ranked = 0
        self._at_10 = 0.0
        self._at_50 = 0.0

    def add(self, ranks: Ints) -> None:
        """Take ranks into account; 0 is the top."""
        for rank in ranks.tolist():
            self._ranked += 1
            share = max(1 / self._ranked, 1 / _WINDOW)
            self._at_10 += share * ((rank < 10) - self._at_10)
            self._at_50 += share * ((rank < 50) - self._at_50)

    def figures(self) -> dict[str, float]:
        """`recall_at_10` and `recall_at_50`, and of how many positives."""
        return {
            "recall_at_10": self._at_10,
            "recall_at_50": self._at_50,
            "recall_ranked": float(self._ranked),
        }

    def state(self) -> dict[str, float]:
        """For a checkpoint."""
        return {"ranked": self._ranked, "at_10": self._at_10, "at_50": self._at_50}

    def load(self, state: dict[str, float]) -> None:
        """Become what `state` said."""
        self._ranked = int(state["ranked"])
        self._at_10, self._at_50 = state["at_10"], state["at_50"]


def stride(items: int, positives: int, most: int) -> int:
    """Every how many of so many positives one is ranked, so that it stays a small part of a step.

    At most `most` are, and of many items fewer; one is in any case.
    """
    ranked = max(1, min(most, _CELLS // max(items, 1)))
    return max(1, -(-positives // ranked))

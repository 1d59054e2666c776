"""What a node counts and times."""

from __future__ import annotations

from collections import Counter, deque

import numpy as np

_WINDOW = 1_000


class Window:
    """Percentiles over the latest values. Written by one thread, read from any."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=_WINDOW)

    def add(self, value: float) -> None:
        """One more value; beyond 1,000 the oldest goes."""
        self._values.append(value)

    def percentile(self, percent: float) -> float:
        """Of the values in the window; 0 while there are none."""
        values = list(self._values)  # one call in C, so no write comes in between
        return float(np.percentile(values, percent)) if values else 0.0


class NodeFigures:
    """Counters and times of one node since its start."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(
            dict.fromkeys(
                ("recalls", "degraded", "errors", "skipped", "dropped_late", "bad_records"), 0
            )
        )
        """By name; a `skipped` also counts as `skipped_<reason>`."""
        self.event_to_searchable_ms = Window()
        self.recall_ms = Window()

    def skip(self, reason: str) -> None:
        """A request or reply that nobody gets, and why."""
        self.counts["skipped"] += 1
        self.counts[f"skipped_{reason}"] += 1

    def report(self) -> dict[str, float]:
        """All of it, flat."""
        return {
            **{name: float(count) for name, count in self.counts.copy().items()},
            "event_to_searchable_p50_ms": self.event_to_searchable_ms.percentile(50),
            "event_to_searchable_p99_ms": self.event_to_searchable_ms.percentile(99),
            "recall_p50_ms": self.recall_ms.percentile(50),
            "recall_p99_ms": self.recall_ms.percentile(99),
        }

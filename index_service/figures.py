"""What a node counts and times."""

from __future__ import annotations

from collections import Counter, deque
from typing import get_args

import numpy as np

from index_service.metrics import EVENT_TO_SEARCHABLE_SECONDS, RECALL_SECONDS
from schemas.recall import Status

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
                (
                    *("recalls", "degraded", "errors", "skipped", "dropped_late", "bad_records"),
                    "redis_errors",
                ),
                0,
            )
        )
        """By name; a `skipped` also counts as `skipped_<reason>`."""
        self.event_to_searchable_ms = Window()
        self.recall_ms = Window()
        self.recall_seconds = RECALL_SECONDS.histogram()
        for status in get_args(Status):
            self.recall_seconds.labels(status)  # there from the start, at 0
        self.event_to_searchable_seconds = EVENT_TO_SEARCHABLE_SECONDS.histogram()
        self.in_flight = 0
        """Requests read and not yet answered."""

    def searchable(self, late_ms: float) -> None:
        """An item's vector was taken in so long after its event."""
        self.event_to_searchable_ms.add(late_ms)
        # A producer's clock may be ahead, and a sum must not go back.
        self.event_to_searchable_seconds.observe(max(0.0, late_ms) / 1e3)

    def recalled(self, status: Status, took_ms: float) -> None:
        """A request was answered so long after it was sent."""
        self.counts["recalls"] += 1
        if status != "ok":
            self.counts["errors" if status == "error" else status] += 1
        self.recall_ms.add(took_ms)
        self.recall_seconds.labels(status).observe(took_ms / 1e3)

    def skip(self, reason: str) -> None:
        """A request or reply that nobody gets, and why."""
        self.counts["skipped"] += 1
        self.counts[f"skipped_{reason}"] += 1

    def report(self) -> dict[str, float]:
        """All of it, flat."""
        return {
            **{name: float(count) for name, count in self.counts.copy().items()},
            "in_flight": float(self.in_flight),
            "event_to_searchable_p50_ms": self.event_to_searchable_ms.percentile(50),
            "event_to_searchable_p99_ms": self.event_to_searchable_ms.percentile(99),
            "recall_p50_ms": self.recall_ms.percentile(50),
            "recall_p99_ms": self.recall_ms.percentile(99),
        }

"""The last hour of the charts, a point a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from threading import Lock

import msgspec

SERIES = (
    "click_to_user_vector_p50_ms",
    "click_to_user_vector_p99_ms",
    "event_to_searchable_p50_ms",
    "event_to_searchable_p99_ms",
    "recall_p50_ms",
    "recall_p99_ms",
    "prequential_at_10",
    "prequential_at_50",
    "click_through",
    "events_per_s",
    "recalls_per_s",
    "positives_waiting_s",
)
POINTS = 3_600


class History:
    """Columns of equal length; the oldest point leaves when an hour is full."""

    def __init__(self, points: int = POINTS) -> None:
        self._at_ms: deque[int] = deque(maxlen=points)
        self._columns = {name: deque[float | None](maxlen=points) for name in SERIES}
        self._lock = Lock()

    def add(self, at_ms: int, point: Mapping[str, float | None]) -> None:
        """One more point; a series that it lacks has a gap there."""
        with self._lock:
            self._at_ms.append(at_ms)
            for name, column in self._columns.items():
                value = point.get(name)
                column.append(None if value is None else float(f"{value:.5g}"))

    def encoded(self) -> bytes:
        """All of it as JSON: `at_ms`, and each series by name."""
        with self._lock:
            columns = {name: list(column) for name, column in self._columns.items()}
            return msgspec.json.encode({"at_ms": list(self._at_ms), "series": columns})

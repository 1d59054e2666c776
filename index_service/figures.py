"""What a node counts and times."""

from __future__ import annotations

from collections import Counter, deque

import numpy as np

from index_service.metrics import EVENT_TO_SEARCHABLE_SECONDS, OUTCOMES, RECALL_SECONDS
from schemas.recall import OVERLOADED, RecallReply

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
                    "recalls",
                    "ok",
                    "partial",
                    "degraded",
                    "errors",
                    "overloaded",
                    "skipped",
                    "dropped_late",
                    "shard_calls_sent",
                    "shard_calls_answered",
                    "shard_calls_late",
                    "hedged",
                    "shards_restored",
                    "snapshots",
                    "snapshots_failed",
                    "changes",
                    "bad_records",
                    "redis_errors",
                    "contexts_known",
                    "contexts_unknown",
                ),
                0,
            )
        )
        """By name; a `skipped` also counts as `skipped_<reason>`. Each of `recalls` is also one
        of ok, partial, degraded, errors and overloaded."""
        self.event_to_searchable_ms = Window()
        self.recall_ms = Window()
        self.shard_call_ms = Window()
        self.recall_seconds = RECALL_SECONDS.histogram()
        for outcome in OUTCOMES:
            self.recall_seconds.labels(outcome)  # there from the start, at 0
        self.event_to_searchable_seconds = EVENT_TO_SEARCHABLE_SECONDS.histogram()

    def searchable(self, late_ms: float) -> None:
        """An item's vector was taken in so long after its event."""
        self.event_to_searchable_ms.add(late_ms)
        # A producer's clock may be ahead, and a sum must not go back.
        self.event_to_searchable_seconds.observe(max(0.0, late_ms) / 1e3)

    def skip(self, reason: str) -> None:
        """A request or reply that nobody gets, and why."""
        self.counts["skipped"] += 1
        self.counts[f"skipped_{reason}"] += 1

    def answered(self, reply: RecallReply) -> None:
        """A reply is on its way."""
        refused = reply.status == "error"
        outcome = OVERLOADED if refused and reply.reason == OVERLOADED else reply.status
        self.counts["recalls"] += 1
        self.counts["errors" if outcome == "error" else outcome] += 1
        took_ms = sum(reply.stages_ms.values())
        self.recall_seconds.labels(outcome).observe(took_ms / 1e3)
        if not refused:
            self.recall_ms.add(took_ms)

    def report(self) -> dict[str, float]:
        """All of it, flat."""
        return {
            **{name: float(count) for name, count in self.counts.copy().items()},
            **{
                f"{name}_p{percent}_ms": window.percentile(percent)
                for name, window in (
                    ("event_to_searchable", self.event_to_searchable_ms),
                    ("recall", self.recall_ms),
                    ("shard_call", self.shard_call_ms),
                )
                for percent in (50, 99)
            },
        }

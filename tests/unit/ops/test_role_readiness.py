"""When a labeller says that it is not ready, by what waits for it."""

from __future__ import annotations

from ops.role_lag import PartitionLag, waits_too_long
from schemas.topics import EVENTS, POSITIVES


def test_what_waits_no_longer_than_allowed_is_no_reason() -> None:
    lags = [PartitionLag(EVENTS, 0, 0, None), PartitionLag(EVENTS, 1, 5, 1_000, 40_000)]
    assert waits_too_long(lags, 100_000, 60.0) == ""
    assert waits_too_long([], 100_000, 60.0) == ""


def test_the_longest_wait_is_named() -> None:
    lags = [
        PartitionLag(EVENTS, 0, 3, 1_000, 70_000),
        PartitionLag(EVENTS, 1, 5, 1_000, 39_000),
        PartitionLag(EVENTS, 2, 5, 1_000, 39_500),
    ]
    told = waits_too_long(lags, 100_000, 60.0)
    assert told == "a record of partition 1 of events has waited 61 s; ready within 60 s"


def test_other_topics_may_wait() -> None:
    assert waits_too_long([PartitionLag(POSITIVES, 0, 9, 0, 0)], 10**9, 1.0) == ""

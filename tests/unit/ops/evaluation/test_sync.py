from __future__ import annotations

import pytest

from ops.evaluation.sync import LIVE, NEVER, SyncClock, parse_interval
from schemas.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "every_ms"),
    [("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("24h", 86_400_000), ("7d", 604_800_000)],
)
def test_intervals_are_whole_numbers_of_a_unit(text: str, every_ms: int) -> None:
    assert parse_interval(text).every_ms == every_ms


def test_live_and_never() -> None:
    assert (parse_interval("live"), parse_interval("never")) == (LIVE, NEVER)


@pytest.mark.parametrize("text", ["", "0m", "-1h", "1.5h", "5", "h", "5 m", "5minutes", "LIVE"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="a sync interval is"):
        parse_interval(text)


def test_a_clock_is_due_once_for_each_interval_since_the_first_event() -> None:
    clock = SyncClock(parse_interval("1h"))
    hour_ms = 3_600_000
    begin = 17 * hour_ms + 5
    moments = [0, hour_ms - 1, hour_ms, hour_ms + 1, 4 * hour_ms, 3 * hour_ms, 5 * hour_ms]
    assert [clock.due(begin + moment) for moment in moments] == [
        False, False, True, False, True, False, True,
    ]  # fmt: skip


def test_live_is_always_due_and_never_is_not() -> None:
    live, never = SyncClock(LIVE), SyncClock(NEVER)
    assert [live.due(at) for at in (5, 5, 4)] == [True] * 3
    assert [never.due(at) for at in (5, 10**12)] == [False] * 2

"""Lag from offsets and times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ops.lag.rows import NextRecord, Offsets, lag_row, next_offset, worst
from ops.lag.subscriptions import Subscription, subscriptions
from schemas.settings import LabellingSettings, Settings, TrainerSettings

READING = Subscription("trainer", "n.positives", "n.trainer", "earliest", 10.0, "a note")
LATEST = READING._replace(begins="latest")
NONE = NextRecord(None, None)


@given(st.integers(0, 50), st.integers(0, 50), st.none() | st.integers(0, 120))
def test_records_are_those_that_a_reader_would_get(
    begin: int, kept: int, committed: int | None
) -> None:
    end = begin + kept
    row = lag_row(READING, 0, Offsets(begin, end, committed), NONE, 0)
    readable = [offset for offset in range(begin, end) if offset >= (committed or 0)]
    assert row.records == len(readable)
    start = next_offset(READING, Offsets(begin, end, committed))
    assert start is not None
    assert not readable or start == readable[0]


def test_a_reader_that_begins_at_the_end_or_commits_nothing_is_not_guessed() -> None:
    for reading in (LATEST, READING._replace(group=None)):
        row = lag_row(reading, 0, Offsets(0, 9, None), NextRecord(1, 1), 5_000)
        assert (row.records, row.waiting_s, row.event_age_s) == (None, None, None)
        assert row.state == "unknown"


def test_times() -> None:
    row = lag_row(READING, 2, Offsets(0, 9, 4), NextRecord(20_000, 5_000), 30_000)
    assert (row.records, row.waiting_s, row.event_age_s) == (5, 10.0, 25.0)
    assert row.state == "ok"  # waiting as long as is normal is normal
    later = lag_row(READING, 2, Offsets(0, 9, 4), NextRecord(20_000, 5_000), 30_001)
    assert later.state == "behind"
    ahead = lag_row(READING, 2, Offsets(0, 9, 4), NextRecord(40_000, 50_000), 30_000)
    assert (ahead.waiting_s, ahead.event_age_s) == (0.0, -20.0)
    assert lag_row(READING, 2, Offsets(0, 9, 4), NONE, 30_000).state == "unknown"
    assert lag_row(READING, 2, Offsets(0, 9, 9), NextRecord(1, 1), 30_000).waiting_s == 0.0


def test_commits_outside_the_topic_are_told() -> None:
    assert "3 records were deleted" in lag_row(READING, 0, Offsets(5, 9, 2), NONE, 0).note
    assert "1 beyond the end" in lag_row(READING, 0, Offsets(5, 9, 10), NONE, 0).note
    assert lag_row(READING, 0, Offsets(5, 9, 5), NONE, 0).note == "a note"


def test_the_worst_is_furthest_beyond_its_normal() -> None:
    patient = READING._replace(normal_s=900.0)
    rows = [
        lag_row(patient, 0, Offsets(0, 9, 4), NextRecord(0, None), 800_000),
        lag_row(READING, 1, Offsets(0, 9, 4), NextRecord(780_000, None), 800_000),
        lag_row(READING, 2, Offsets(0, 9, 4), NONE, 800_000),
    ]
    found = worst(rows)
    assert found is not None
    assert found.partition == 1
    assert worst(rows[2:]) is None


def test_what_is_normal_follows_the_settings() -> None:
    settings = Settings(
        labelling=LabellingSettings(window_ms=60_000, lateness_ms=2_000),
        trainer=TrainerSettings(checkpoint_every_s=7.0),
    )
    normal = {reading.group: reading.normal_s for reading in subscriptions(settings)}
    assert normal["penstock.label-negatives"] == 62.0 + normal["penstock.label-positives"]
    assert normal["penstock.trainer"] >= 14.0

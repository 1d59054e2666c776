"""Lag of a reader that stands at known places, against what was published there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ops.role_lag import PartitionLag, RoleLag
from schemas.events import Event
from schemas.status import Reading
from schemas.topics import EVENTS, partition_of, topic_name
from tests.support.live import Live, now_ms
from tests.support.polling import eventually

NOW_MS = 2_000_000_000_000


@contextmanager
def looking(live: Live, reading: Reading) -> Iterator[RoleLag]:
    lag = RoleLag(live.settings, "label-positives", lambda: reading, lambda: NOW_MS)
    try:
        yield lag
    finally:
        lag.close()


Numbers = dict[str, dict[tuple[str, ...], float]]


def numbers(lag: RoleLag) -> Numbers:
    return {
        metric.name: {tuple(sample.labels.values()): sample.value for sample in metric.samples}
        for metric in lag.collect()
    }


def first_look(live: Live, reading: Reading) -> tuple[list[PartitionLag], Numbers]:
    with looking(live, reading) as lag:
        return eventually(lambda: lag.lags, bool, "a first look"), numbers(lag)


def test_records_and_the_event_time_of_the_next_one(live: Live) -> None:
    partition = partition_of(b"laggard", live.settings.topics.partitions)
    topic = topic_name(live.settings.namespace, EVENTS)
    before = sum(1 for _ in live.read_all(EVENTS))
    times = [now_ms() - 60_000 + n for n in range(3)]
    for ts_ms in times:
        live.producer.send(Event("view", "laggard", "i", f"lag-{ts_ms}", ts_ms))
        live.producer.flush()
    assert sum(1 for _ in live.read_all(EVENTS)) == before + 3
    # The end, as a reader that has caught up would say it.
    (at,), _ = first_look(live, Reading(None, {(topic, partition): 0}))
    end = at.records
    for behind in (3, 1, 0):
        seen, found = first_look(live, Reading(None, {(topic, partition): end - behind}))
        next_ms = times[-behind] if behind else None
        (one,) = seen
        assert one == PartitionLag(EVENTS, partition, behind, next_ms, one.written_ms)
        # Written after the event it tells of, which was a minute old by then.
        assert (one.written_ms is None) == (next_ms is None)
        assert one.written_ms is None or one.written_ms >= times[0] + 60_000
        labels = ("label-positives", EVENTS, str(partition))
        assert found["penstock_consumer_lag_records"] == {labels: behind}
        seconds = (NOW_MS - next_ms) / 1e3 if next_ms else 0.0
        assert found["penstock_consumer_lag_seconds"] == {labels: seconds}


def test_a_reader_that_has_read_nothing_stands_where_its_group_is(live: Live) -> None:
    topic = topic_name(live.settings.namespace, EVENTS)
    places = dict.fromkeys((topic, n) for n in range(live.settings.topics.partitions))
    group = topic_name(live.settings.namespace, "label-positives")
    records = len(live.read_all(EVENTS))
    all_of_it, _ = first_look(live, Reading("of-nobody", places))
    assert sum(one.records for one in all_of_it) == records
    with looking(live, Reading(group, places)) as lag:
        eventually(
            lambda: sum(one.records for one in lag.lags) if lag.lags else None,
            lambda seen: seen == 0,
            "the labeller has committed all of it",
        )


def test_a_reader_of_nothing_has_no_lag(live: Live) -> None:
    with looking(live, Reading(None, {})) as lag:
        found = numbers(lag)
    assert found["penstock_consumer_lag_records"] == {}
    assert found["penstock_consumer_lag_seconds"] == {}
    assert found["penstock_consumer_lag_age_seconds"][("label-positives",)] < 60


def test_a_record_that_still_waits_is_read_at_each_look(live: Live) -> None:
    live.visit("waiting", ["i"])
    topic = topic_name(live.settings.namespace, EVENTS)
    places = {(topic, n): 0 for n in range(live.settings.topics.partitions)}
    with looking(live, Reading(None, places)) as lag:
        first = eventually(lambda: lag.lags, bool, "a first look")
        second = eventually(lambda: lag.lags, lambda seen: seen is not first, "a second look")
    assert [one.next_ms for one in second if one.records] == [
        one.next_ms for one in first if one.records
    ]
    assert any(one.next_ms for one in second)

"""Grouping loses, doubles and reorders nothing, and keeps nothing longer than its linger."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import Event
from schemas.settings import LabellingSettings
from streams.decode import EventDecoder
from streams.grouping import MAX_EVENTS, Encoded, Grouping, Record

NOW_MS = 1_700_000_000_000
MAX_BYTES = 600
DECODER = EventDecoder(LabellingSettings(max_record_bytes=MAX_BYTES))


class Clock:
    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms


def event(user: int, number: int, padding: int = 0) -> Event:
    context = {"c": "x" * padding} if padding else {}
    return Event("click", f"u{user}", f"i{number}", "r", NOW_MS + number, context=dict(context))


def encoded(one: Event) -> Encoded:
    return Encoded(int(one.user_id[1:]) % 2, one.user_id.encode(), encode(one))


def events_of(record: Record, decoder: EventDecoder = DECODER) -> list[Event]:
    decoded = decoder.decode(record.value, None, NOW_MS)
    assert decoded.refusals == []
    return decoded.events


actions = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 400)),
        st.tuples(st.just("many"), st.integers(0, 12), st.integers(0, 100)),
        st.tuples(st.just("wait"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("flush"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(actions, st.integers(0, 20))
def test_every_event_leaves_once_in_order_and_in_time(
    steps: list[tuple[str, int, int]], linger_ms: int
) -> None:
    clock = Clock()
    grouping = Grouping(linger_ms, MAX_BYTES, clock)
    sent: list[Event] = []
    came_ms: dict[str, int] = {}
    left: list[Event] = []

    def take(one: Event) -> Encoded:
        sent.append(one)
        came_ms[one.item_id] = clock.ms
        return encoded(one)

    def leave(records: list[Record]) -> None:
        for record in records:
            group = events_of(record)
            assert len(group) == record.events
            assert len(record.value) <= MAX_BYTES
            assert record.events_bytes == sum(len(encode(one)) for one in group)
            assert {encoded(one).partition for one in group} == {record.partition}
            assert record.key == group[0].user_id.encode()
            assert all(clock.ms - came_ms[one.item_id] <= linger_ms for one in group)
            left.extend(group)

    def pass_time(until_ms: int) -> None:
        """As the thread does: wakes whenever something is due."""
        while grouping.next_due_ms is not None and grouping.next_due_ms <= until_ms:
            assert grouping.next_due_ms >= clock.ms
            clock.ms = grouping.next_due_ms
            due = grouping.take_due()
            assert due
            leave(due)
        clock.ms = until_ms

    for step, amount, padding in steps:
        if step == "send":
            leave(grouping.add(take(event(amount, len(sent), padding))))
            if linger_ms == 0:
                assert grouping.next_due_ms is None
        elif step == "many":
            many = [event(n % 4, len(sent) + n, padding) for n in range(amount)]
            leave(grouping.add_many([take(one) for one in many]))
        elif step == "wait":
            pass_time(clock.ms + amount)
        else:
            leave(grouping.take_all())
            assert grouping.next_due_ms is None
    leave(grouping.take_all())
    for partition in (0, 1):  # whole partitions keep their order, so each user does
        assert [one for one in left if encoded(one).partition == partition] == [
            one for one in sent if encoded(one).partition == partition
        ]


def test_a_lone_event_leaves_at_once_and_a_burst_leaves_together() -> None:
    clock = Clock()
    clock.ms = 1_000
    grouping = Grouping(5, 1_000_000, clock)
    (first,) = grouping.add(encoded(event(0, 0)))
    assert events_of(first) == [event(0, 0)]
    burst = [event(0, number) for number in range(1, 4)]
    for one in burst:
        clock.ms += 1
        assert grouping.add(encoded(one)) == []
    assert grouping.next_due_ms == 1_005
    assert grouping.take_due() == []
    clock.ms = 1_005
    (together,) = grouping.take_due()
    assert events_of(together) == burst
    clock.ms = 1_010  # exactly a linger after the last record: no longer soon
    (alone,) = grouping.add(encoded(event(0, 9)))
    assert events_of(alone) == [event(0, 9)]


def test_without_linger_each_event_is_its_record() -> None:
    grouping = Grouping(0, 1_000_000, Clock())
    records = [grouping.add(encoded(event(0, number))) for number in range(5)]
    assert [record.value for (record,) in records] == [encode(event(0, n)) for n in range(5)]


def test_a_full_record_does_not_wait() -> None:
    decoder = EventDecoder(LabellingSettings())
    grouping = Grouping(5, 1_000_000, Clock())
    records = [r for n in range(2_500) for r in grouping.add(encoded(event(0, n)))]
    assert [record.events for record in records] == [1, MAX_EVENTS, MAX_EVENTS]
    records += grouping.add_many([encoded(event(0, n)) for n in range(2_500, 4_000)])
    assert [record.events for record in records[3:]] == [MAX_EVENTS, MAX_EVENTS - 1]
    items = [one.item_id for record in records for one in events_of(record, decoder)]
    assert items == [f"i{number}" for number in range(4_000)]

"""`EventProducer` on a real broker: grouped, in order, nothing lost, errors at once."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from schemas.errors import BrokerUnavailable, EventRefused
from schemas.events import Event
from schemas.samples import sample_id
from schemas.topics import EVENTS, POSITIVES
from streams import EventProducer
from streams.decode import EventDecoder
from tests.support.live import Live, now_ms
from tests.support.polling import eventually


def records_of(live: Live, prefix: str) -> list[list[Event]]:
    """The events of each record of `events` that users of this prefix have, as the labellers see
    them."""
    decoder = EventDecoder(live.settings.labelling)
    records = [decoder.decode(value, None, now_ms()).events for value in live.read_all(EVENTS)]
    ours = [[e for e in events if e.user_id.startswith(prefix)] for events in records]
    return [events for events in ours if events]


def test_threads_send_and_every_event_arrives_once_in_its_users_order(live: Live) -> None:
    """Each thread has a user of its own, and mixes both ways of sending."""
    sent: dict[str, list[Event]] = defaultdict(list)
    start = threading.Barrier(4)

    def visit(number: int) -> None:
        user = f"group-{number}"
        start.wait(timeout=60)
        for turn in range(300):
            events = [
                Event("exposure", user, f"i{step}", f"{user}-{turn}", now_ms())
                for step in range(1 if turn % 3 else 4)
            ]
            sent[user] += events
            if turn % 3:
                producer.send(events[0])
            else:
                producer.send_many(events)

    with EventProducer(live.settings, linger_ms=20) as producer:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(visit, range(4)))
    records = records_of(live, "group-")
    for user, events in sent.items():
        assert [e for record in records for e in record if e.user_id == user] == events


def test_a_burst_of_single_events_becomes_few_records(live: Live) -> None:
    events = [Event("exposure", "burst-u", f"i{n}", "burst-r", now_ms()) for n in range(2_000)]
    with EventProducer(live.settings, linger_ms=1_000) as producer:
        for event in events:
            producer.send(event)
    records = records_of(live, "burst-")
    assert [event for record in records for event in record] == events
    assert len(records) <= 4


def test_what_lingers_leaves_by_itself_and_is_labelled(live: Live) -> None:
    producer = EventProducer(live.settings, linger_ms=50)
    try:
        for number in range(3):  # the first leaves at once, the others linger
            producer.send(Event("click", "linger-u", f"i{number}", "linger-r", now_ms()))
        expected = {sample_id("linger-r", f"i{number}", "click") for number in range(3)}
        eventually(
            lambda: {sample.sample_id for sample in live.samples(POSITIVES)},
            lambda found: expected <= found,
            "the three clicks are positives without a flush",
        )
    finally:
        producer.close()


def test_close_sends_what_lingers(live: Live) -> None:
    producer = EventProducer(live.settings, linger_ms=60_000)
    events = [Event("exposure", "close-u", f"i{n}", "close-r", now_ms()) for n in range(5)]
    for event in events:
        producer.send(event)
    producer.close()
    assert [event for record in records_of(live, "close-") for event in record] == events
    with pytest.raises(BrokerUnavailable, match="closed"):
        producer.send(events[0])


def test_an_event_that_no_record_can_hold_is_refused_at_once(live: Live) -> None:
    huge = Event("click", "huge-u", "i", "huge-r", now_ms(), context={"c": "x" * 1_000_000})
    wide = Event("click", "huge-u", "i", "huge-r", now_ms(), context={"c": 2**70})
    good = Event("click", "huge-u", "j", "huge-r", now_ms())
    with EventProducer(live.settings) as producer:
        for bad, rule in ((huge, "at most 1000000 bytes"), (wide, "fields are those of the Event")):
            with pytest.raises(EventRefused, match=rule):
                producer.send(bad)
            with pytest.raises(EventRefused, match=rule):
                producer.send_many([good, bad])
        producer.send(good)
    assert records_of(live, "huge-") == [[good]]

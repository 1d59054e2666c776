"""An inbox that fetches ahead, over a consumer in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from schemas.errors import BrokerUnavailable
from schemas.settings import Settings
from tests.support.polling import eventually
from towers import inbox
from towers.eager_inbox import EagerInbox

_PART = TopicPartition("t", 0)


class MemoryConsumer:
    """One partition as a list; says when two threads use it at once, as kafka-python must not."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.position = 0
        self.polls = 0
        self.committed: dict[Any, Any] = {}
        self.error: Exception | None = None
        self.threads: set[int] = set()
        self.closed = False

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    def beginning_offsets(self, parts: list[Any], timeout_ms: int) -> dict[Any, int]:
        return dict.fromkeys(parts, 0)

    def end_offsets(self, parts: list[Any], timeout_ms: int) -> dict[Any, int]:
        self.threads.add(threading.get_ident())
        if self.error is not None:
            raise self.error
        return dict.fromkeys(parts, len(self.values))

    def assign(self, parts: list[Any]) -> None:
        """One it is."""

    def seek(self, part: Any, offset: int) -> None:
        self.position = offset

    def highwater(self, part: Any) -> int:
        return len(self.values)

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        self.threads.add(threading.get_ident())
        self.polls += 1
        if self.error is not None:
            raise self.error
        found = [
            SimpleNamespace(offset=self.position + place, key=b"k", value=value, headers=[])
            for place, value in enumerate(self.values[self.position :][:max_records])
        ]
        self.position += len(found)
        if not found:
            threading.Event().wait(0.002)
        return {_PART: found} if found else {}

    def commit_async(self, offsets: dict[Any, Any]) -> None:
        self.threads.add(threading.get_ident())
        self.committed = offsets

    def commit(self, offsets: dict[Any, Any], timeout_ms: int) -> None:
        self.commit_async(offsets)

    def close(self, **_: object) -> None:
        self.closed = True


@contextmanager
def opened(
    monkeypatch: pytest.MonkeyPatch, values: int = 0
) -> Iterator[tuple[MemoryConsumer, EagerInbox]]:
    consumer = MemoryConsumer()
    consumer.values = [str(number).encode() for number in range(values)]
    monkeypatch.setattr(inbox, "KafkaConsumer", lambda **_: consumer)
    made = EagerInbox(Settings().kafka, ["t"], {}, "group", fetch=4)
    consumer.threads.clear()  # the constructor had it to itself
    try:
        yield consumer, made
    finally:
        made.close()
    assert consumer.closed


def polled(made: EagerInbox, timeout_ms: int, most: int) -> list[int]:
    return [record.offset for record in made.poll(timeout_ms, most)]


def test_records_come_in_order_and_positions_are_those_of_what_was_polled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened(monkeypatch, values=30) as (_, made):
        seen: list[int] = []
        while len(seen) < 30:
            seen += polled(made, 1_000, most=3)
            assert made.positions == {"t": {0: len(seen)}}
            assert (made.waiting(), made.missing_at_start()) == (30 - len(seen),) * 2
        assert seen == list(range(30))
        assert polled(made, 0, most=3) == []


def test_it_fetches_ahead_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, values=100) as (consumer, made):
        eventually(lambda: consumer.position, lambda at: at == 12, "three fetches of 4 wait")
        polls = consumer.polls
        assert polled(made, 0, most=100) == list(range(8))  # what waits, without waiting
        eventually(lambda: consumer.polls, lambda now: now >= polls + 2, "there is room for more")
        assert made.positions == {"t": {0: 8}}


def test_an_error_comes_after_the_records_from_before_it_and_then_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened(monkeypatch, values=4) as (consumer, made):
        eventually(lambda: consumer.position, lambda at: at == 4, "all is fetched")
        consumer.error = KafkaError("gone")
        polls = consumer.polls
        eventually(lambda: consumer.polls, lambda now: now > polls + 1, "it fails")
        assert polled(made, 1_000, most=2) == [0, 1]
        assert polled(made, 1_000, most=9) == [2, 3]
        with pytest.raises(BrokerUnavailable, match="gone"):
            made.poll(5_000, 9)
        with pytest.raises(BrokerUnavailable, match="gone"):
            made.probe()
        consumer.error = None
        consumer.values += [b"4"]

        def next_one() -> list[int]:
            try:
                return polled(made, 1_000, most=9)
            except BrokerUnavailable:
                return []  # said before it was over

        eventually(next_one, lambda found: found == [4], "it goes on where it was")
        made.probe()


def test_one_thread_alone_uses_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, values=4) as (consumer, made):
        polled(made, 1_000, most=4)
        made.commit({"t": {0: 4}}, wait=False)
        made.probe()
        made.commit({"t": {0: 4}}, wait=True)
        assert consumer.committed[_PART].offset == 4
        assert len(consumer.threads) == 1 and threading.get_ident() not in consumer.threads

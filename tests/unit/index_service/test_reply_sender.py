"""Replies by record batches: who goes with whom, and what becomes of those that can't be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from index_service.figures import NodeFigures
from index_service.reply_headers import ReplyAddress
from index_service.reply_sender import ReplySender

BATCH_BYTES = 2_000


class Sent(NamedTuple):
    topic: str
    partition: int
    values: list[bytes]
    ids: list[bytes]


class Producer:
    """Stands in for Kafka's: topics with two partitions, and batches that end when told."""

    def __init__(self) -> None:
        self.topics = {"replies", "others"}
        self.sent: list[Sent] = []
        self.failures: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()

    async def partitions_for(self, topic: str) -> set[int]:
        if topic not in self.topics:
            await asyncio.sleep(0)
            raise KafkaTimeoutError
        return {0, 1}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int
    ) -> Awaitable[None]:
        records = [*DefaultRecordBatch(bytes(batch._build()))]
        ids = [dict(record.headers)["kafka_correlationId"] for record in records]
        values = [record.value or b"" for record in records]
        self.sent.append(Sent(topic, partition, values, ids))
        failure = self.failures.pop(0) if self.failures else None

        async def end() -> None:
            await self.open.wait()
            if failure is not None:
                raise failure

        return end()


class World:
    def __init__(self) -> None:
        self.producer = Producer()
        self.figures = NodeFigures()
        self.sender = ReplySender(self.producer, self.figures)
        self.number = 0

    def send(self, value: bytes, topic: str = "replies", partition: int | None = 0) -> bytes:
        """Its correlation id."""
        self.number += 1
        correlation_id = b"c%d" % self.number
        self.sender.send(ReplyAddress(topic, partition, correlation_id), value, "application/x")
        return correlation_id

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def skipped(self, reason: str) -> int:
        return self.figures.counts[f"skipped_{reason}"]


def run(story: Callable[[World], Awaitable[Any]]) -> None:
    async def begin() -> None:
        await story(World())

    asyncio.run(begin())


def test_what_comes_meanwhile_goes_together_in_the_next_batch() -> None:
    async def story(world: World) -> None:
        world.producer.open.clear()
        first = [world.send(b"a"), world.send(b"b")]
        await world.settle()
        later = [world.send(b"c"), world.send(b"d")]
        other = world.send(b"e", partition=1)
        await world.settle()
        assert world.producer.sent == [
            Sent("replies", 0, [b"a", b"b"], first),
            Sent("replies", 1, [b"e"], [other]),
        ]
        world.producer.open.set()
        await world.settle()
        assert world.producer.sent[2:] == [Sent("replies", 0, [b"c", b"d"], later)]
        world.send(b"f")
        await world.settle()
        assert world.producer.sent[3].values == [b"f"]
        assert world.figures.counts["skipped"] == 0

    run(story)


def test_more_than_a_batch_holds_goes_in_several_in_order() -> None:
    async def story(world: World) -> None:
        values = [bytes([65 + number]) * 700 for number in range(5)] + [b"z" * 3 * BATCH_BYTES]
        for value in values:
            world.send(value)
        await world.settle()
        batches = [sent.values for sent in world.producer.sent]
        assert [value for batch in batches for value in batch] == values
        assert [len(batch) for batch in batches] == [2, 2, 1, 1]

    run(story)


def test_a_batch_that_fails_is_counted_and_the_others_go_on() -> None:
    async def story(world: World) -> None:
        world.producer.failures = [KafkaError("too large")]
        for letter in (b"a", b"b", b"c"):
            world.send(letter * 700)
        await world.settle()
        assert [len(sent.values) for sent in world.producer.sent] == [2, 1]
        assert world.skipped("undelivered") == 2

    run(story)


def test_partitions_and_topics_that_are_not_there_are_counted() -> None:
    async def story(world: World) -> None:
        world.send(b"a", partition=2)
        world.send(b"b", partition=None)
        world.send(b"c", topic="nowhere")
        await world.settle()
        assert [(sent.partition in (0, 1), sent.values) for sent in world.producer.sent] == [
            (True, [b"b"])
        ]
        assert world.skipped("unknown_reply_partition") == 1
        assert world.skipped("undelivered") == 1

    run(story)


@pytest.mark.parametrize(("known", "limit"), [(True, 1_000), (False, 50)])
def test_no_more_wait_than_may(known: bool, limit: int) -> None:
    async def story(world: World) -> None:
        if known:
            world.send(b"first")
            await world.settle()
        world.producer.open.clear()
        for _ in range(limit + 7):
            world.send(b"x")
        await world.settle()
        assert world.skipped("undelivered") == 7
        world.producer.open.set()
        for _ in range(limit):
            await world.settle()
        values = [value for sent in world.producer.sent for value in sent.values]
        assert values.count(b"x") == limit
        world.send(b"again")
        await world.settle()
        assert world.producer.sent[-1].values == [b"again"]

    run(story)

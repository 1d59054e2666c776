"""The front before the real noida-db: fetches wait, and clients work."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from ops.embedded import choose_port
from ops.embedded.counts import Counts
from ops.embedded.front import Front
from ops.embedded.noida import running_noida
from tests.support.polling import eventually


@dataclass(frozen=True)
class Broker:
    """A front in a thread of this process, so that its counts can be read."""

    servers: str
    counts: Counts

    def topic(self, partitions: int = 1) -> str:
        name = f"t-{uuid.uuid4().hex[:8]}"
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])
        finally:
            admin.close()
        return name

    def write(self, topic: str, *values: bytes, acks: int = 1) -> None:
        producer = KafkaProducer(bootstrap_servers=self.servers, acks=acks)
        try:
            for value in values:
                producer.send(topic, value)
            producer.flush()
        finally:
            producer.close()


async def serve(folder: Path, started: Future[Broker], ended: asyncio.Event) -> None:
    kafka, private, redis = (choose_port(0, "a test", "none") for _ in range(3))
    async with running_noida(folder, private, redis) as noida:
        await noida.listening((private, redis), ended.is_set)
        async with Front(kafka, private) as front:
            started.set_result(Broker(f"127.0.0.1:{kafka}", front.counts))
            await ended.wait()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    started: Future[Broker] = Future()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()
    folder = tmp_path_factory.mktemp("broker")
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(folder, started, ended)))
    thread.start()
    try:
        yield started.result(timeout=30)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(timeout=30)
        loop.close()


@contextmanager
def consumer(broker: Broker, topic: str, **options: Any) -> Iterator[KafkaConsumer]:
    reader = KafkaConsumer(topic, bootstrap_servers=broker.servers, **options)
    try:
        yield reader
    finally:
        reader.close()


def values(reader: KafkaConsumer, timeout_ms: int = 200) -> list[bytes]:
    polled = reader.poll(timeout_ms=timeout_ms).values()
    return [record.value for records in polled for record in records]


def while_waiting(broker: Broker, reader: KafkaConsumer, act: Callable[[], None]) -> list[bytes]:
    """What the consumer's next record is when `act` is done while its fetch waits."""
    found: Future[list[bytes]] = Future()
    before = broker.counts.fetches_asked

    def read() -> None:
        found.set_result(eventually(lambda: values(reader, 5_000), bool, "a record"))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        eventually(lambda: broker.counts.fetches_asked, lambda now: now > before, "a fetch")
        act()
        return found.result(timeout=60)
    finally:
        thread.join(timeout=60)


def test_an_idle_consumer_asks_seldom(broker: Broker) -> None:
    with consumer(broker, broker.topic(4), fetch_max_wait_ms=500) as reader:
        eventually(lambda: values(reader, 50) or reader.assignment(), bool, "an assignment")
        fetches, asked = broker.counts.fetches, broker.counts.fetches_asked
        for _ in range(4):
            assert values(reader, 500) == []
        # Two seconds of 0.5 s each make 4; without the front they are thousands.
        assert 1 <= broker.counts.fetches - fetches < 20
        assert broker.counts.fetches_asked - asked < 20
    assert broker.counts.not_understood == 0


def test_a_record_reaches_a_waiting_consumer_before_max_wait(broker: Broker) -> None:
    topic = broker.topic()
    # Its fetch would wait for an hour: only the record itself can end it.
    options = {"fetch_max_wait_ms": 3_600_000, "request_timeout_ms": 3_700_000}
    options |= {"connections_max_idle_ms": 3_800_000}
    with consumer(broker, topic, **options) as reader:
        seen = while_waiting(broker, reader, lambda: broker.write(topic, b"now"))
        assert seen == [b"now"]


def test_a_record_without_acknowledgement_comes_at_max_wait_at_the_latest(broker: Broker) -> None:
    """Nobody can know when noida-db has it, so the fetch may be asked again too early."""
    topic = broker.topic()
    with consumer(broker, topic, fetch_max_wait_ms=2_000) as reader:
        assert while_waiting(broker, reader, lambda: broker.write(topic, b"now", acks=0)) == [
            b"now"
        ]


def test_fewer_than_min_bytes_come_when_max_wait_is_over(broker: Broker) -> None:
    topic = broker.topic()
    options: dict[str, Any] = {"fetch_min_bytes": 1 << 19, "fetch_max_wait_ms": 300}
    with consumer(broker, topic, auto_offset_reset="earliest", **options) as reader:
        assert while_waiting(broker, reader, lambda: broker.write(topic, b"few")) == [b"few"]


def test_min_bytes_are_waited_for(broker: Broker) -> None:
    topic = broker.topic()
    options: dict[str, Any] = {"fetch_min_bytes": 3_000, "fetch_max_wait_ms": 3_600_000}
    options |= {"request_timeout_ms": 3_700_000, "connections_max_idle_ms": 3_800_000}

    def write() -> None:
        for number in range(3):
            broker.write(topic, bytes([number]) * 1_200)

    with consumer(broker, topic, auto_offset_reset="earliest", **options) as reader:
        seen = while_waiting(broker, reader, write)
    assert [value[0] for value in seen] == [0, 1, 2]


def test_kafka_python_groups_share_and_resume(broker: Broker) -> None:
    topic = broker.topic(2)
    broker.write(topic, *(b"%d" % number for number in range(20)))
    options = {"group_id": topic, "auto_offset_reset": "earliest"}
    with consumer(broker, topic, **options) as reader:
        seen: list[bytes] = []

        def count() -> int:
            seen.extend(values(reader))
            return len(seen)

        eventually(count, lambda n: n >= 20, "20 records")
        assert sorted(seen) == sorted(b"%d" % number for number in range(20))
        reader.commit()
    broker.write(topic, b"after")
    with consumer(broker, topic, **options) as reader:
        assert eventually(lambda: values(reader), bool, "the next record") == [b"after"]
        parts = {TopicPartition(topic, index) for index in range(2)}
        assert reader.assignment() == parts


async def read_as_a_group(servers: str, topic: str) -> set[bytes]:
    """Two members of a group together read what a producer writes, and commit it."""
    options = {"bootstrap_servers": servers, "group_id": topic, "auto_offset_reset": "earliest"}
    readers = [AIOKafkaConsumer(topic, **options) for _ in range(2)]
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    seen: set[bytes] = set()
    try:
        await asyncio.gather(producer.start(), *(reader.start() for reader in readers))
        sent = {b"%d" % number for number in range(50)}
        for value in sent:
            await producer.send(topic, value)
        async with asyncio.timeout(60):
            while seen != sent or not all(reader.assignment() for reader in readers):
                for reader in readers:
                    for records in (await reader.getmany(timeout_ms=100)).values():
                        seen.update(record.value for record in records)
        for reader in readers:
            await reader.commit()
    finally:
        await asyncio.gather(producer.stop(), *(reader.stop() for reader in readers))
    return seen


def test_aiokafka_groups_share(broker: Broker) -> None:
    topic = broker.topic(2)
    assert len(asyncio.run(read_as_a_group(broker.servers, topic))) == 50

"""One labeller as a process on a real Kafka: started, given a backlog, and watched to the end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.consumer.fetcher import ConsumerRecord

from ops.broker import admin
from ops.children import Child, stop_children
from schemas.settings import Settings
from tests.benchmarks.label_stream import Labels
from tests.benchmarks.rounds import Figures
from tests.support.polling import eventually

_START_S = 120.0
_GRACE_S = 10.0
_POLL_S = 0.05
_QUIET_S = 2.0
"""Labels that do not grow for this long are read and counted."""
_GIVE_UP_S = 30.0
_BATCH_BYTES = 1_000_000


Entry = tuple[bytes | None, bytes]
"""Key and value."""


class Backlog(NamedTuple):
    """What a labeller is given, and what must come of it."""

    probes: list[Entry]
    """Give labels and leave nothing behind, or what the backlog settles."""
    records: list[Entry]
    events: int
    expected: Labels


class Contestant(NamedTuple):
    """A labeller's process and how its output is read."""

    start: Callable[[], Child]
    topics: list[str]
    """All that it needs."""
    events_topic: str
    labels_topic: str
    read: Callable[[bytes, Labels], None]
    """Adds what one record of labels holds."""


@contextmanager
def _topics(settings: Settings, names: Iterable[str]) -> Iterator[None]:
    """Topics of one partition, gone at the end.

    The broker notes the time at which a label came, so that watching costs it nothing.
    """
    wanted = [
        NewTopic(
            name,
            num_partitions=1,
            replication_factor=1,
            topic_configs={"message.timestamp.type": "LogAppendTime"},
        )
        for name in names
    ]
    with admin(settings) as client:
        client.create_topics(wanted)
    try:
        yield
    finally:
        with admin(settings) as client:
            client.delete_topics([topic.name for topic in wanted])


def run(settings: Settings, contestant: Contestant, backlog: Backlog) -> Figures:
    """Its events a second over the backlog, from the moment it may begin to its last label.

    The process is up, in its group and has labelled a probe; it is stopped (SIGSTOP) while the
    backlog is published and timed from SIGCONT to the time at which the broker appended the last
    label. So its start is not in the figure, and all that it does with the backlog is.
    """
    with (
        _topics(settings, contestant.topics),
        _reader(settings, contestant.labels_topic) as reader,
    ):
        child = contestant.start()
        try:
            publish(settings, contestant.events_topic, backlog.probes)

            def labelled() -> int:
                child.check()
                return _end(reader)

            first = eventually(labelled, bool, "the probe is labelled", _START_S)
            os.killpg(child.pid, signal.SIGSTOP)
            try:
                publish(settings, contestant.events_topic, backlog.records)
                started_cpu_s, started_ms = _cpu_s(child.pid), time.time_ns() / 1e6
            finally:
                os.killpg(child.pid, signal.SIGCONT)
            labels, last_ms = _watch(reader, contestant, backlog.expected, first, child)
            cpu_s = _cpu_s(child.pid) - started_cpu_s
        finally:
            stop_children([child], _GRACE_S)
    note = ""
    if labels != backlog.expected:
        note = f"labels differ: {labels.count:,} for {backlog.expected.count:,}"
    return Figures(
        1e3 * backlog.events / max(1.0, last_ms - started_ms),
        per_cpu_s=backlog.events / cpu_s if cpu_s > 0 else None,
        note=note,
    )


def _cpu_s(pid: int) -> float:
    """Processor time of the process so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publish(settings: Settings, topic: str, records: Sequence[Entry]) -> None:
    """Put the records on the topic's one partition, in batches as large as Kafka takes."""

    async def send_all() -> None:
        producer = AIOKafkaProducer(
            **settings.kafka.client_options(),
            max_batch_size=_BATCH_BYTES,
            max_request_size=2 * _BATCH_BYTES,
        )
        async with producer:
            sent = []
            batch = producer.create_batch()
            for key, value in records:
                if batch.append(key=key, value=value, timestamp=None) is None:
                    sent.append(await producer.send_batch(batch, topic, partition=0))
                    batch = producer.create_batch()
                    assert batch.append(key=key, value=value, timestamp=None) is not None
            sent.append(await producer.send_batch(batch, topic, partition=0))
            await asyncio.gather(*sent)

    asyncio.run(send_all())


@contextmanager
def _reader(settings: Settings, topic: str) -> Iterator[KafkaConsumer]:
    reader = KafkaConsumer(
        **settings.kafka.client_options(),
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 * _BATCH_BYTES,
        max_poll_records=10_000,
    )
    reader.assign([TopicPartition(topic, 0)])
    try:
        yield reader
    finally:
        reader.close()


def _end(reader: KafkaConsumer) -> int:
    (partition,) = reader.assignment()
    return int(reader.end_offsets([partition])[partition])


def _watch(
    reader: KafkaConsumer, contestant: Contestant, expected: Labels, first: int, child: Child
) -> tuple[Labels, float]:
    """All labels from `first` on, once they are complete or no more come, and the last one's time.

    Only the topic's end is asked for while labels come, since reading them would take a core.
    """
    (partition,) = reader.assignment()
    reader.seek(partition, first)
    labels = Labels()
    last_ms = 0.0
    read_to = end = first
    grown_s = time.monotonic()
    while time.monotonic() - grown_s < _GIVE_UP_S:
        child.check()
        now_end = _end(reader)
        if now_end > end:
            end, grown_s = now_end, time.monotonic()
        elif end > read_to and time.monotonic() - grown_s > _QUIET_S:
            for record in _read(reader, end):
                contestant.read(record.value, labels)
                last_ms = float(record.timestamp)
            read_to = end
            if labels.count >= expected.count:
                break
        time.sleep(_POLL_S)
    return labels, last_ms


def _read(reader: KafkaConsumer, end: int) -> Iterator[ConsumerRecord]:
    (partition,) = reader.assignment()
    while reader.position(partition) < end:
        for records in reader.poll(timeout_ms=1_000).values():
            yield from records

"""Lag against what was written and committed, in a namespace without roles."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from ops.broker import create_topics
from ops.lag import LagReader, LagRow
from schemas.codec import encode
from schemas.events import Event
from schemas.samples import PassedOver, SampleBatch
from schemas.settings import Settings
from schemas.topics import EVENTS, NEGATIVES, RECALL_REQUESTS, topic_name

NOW_MS = time.time_ns() // 1_000_000_000 * 1_000
"""The reader's clock, which a broker's retention goes by too; the last record was written a second
before."""
WRITTEN = {0: 7, 1: 5, 2: 1, 3: 0}
"""Records of events by partition; each was written a second after the one before."""
COMMITTED = {0: 3, 1: 5, 3: 0}
"""What label-positives has committed; on partition 2 nothing."""
EVENT_AGE_MS = 60_000
"""An event happened so long before it was written."""


def written_ms(partition: int, offset: int) -> int:
    return NOW_MS - 1_000 * (WRITTEN[partition] - offset)


def scenario(settings: Settings) -> Settings:
    """Write events and commits in a namespace of its own; returns its settings."""
    settings = settings.model_copy(update={"namespace": f"{settings.namespace}-lag"})
    create_topics(settings)
    events, negatives, requests = (
        topic_name(settings.namespace, topic) for topic in (EVENTS, NEGATIVES, RECALL_REQUESTS)
    )
    producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers)
    with closing(producer):
        for partition, count in WRITTEN.items():
            for offset in range(count):
                at_ms = written_ms(partition, offset)
                event = Event("click", "u", "i", "r", at_ms - EVENT_AGE_MS)
                # Larger than what is fetched of a partition, as a record of many events is.
                value = encode([event] * (3_000 if offset == COMMITTED.get(partition) else 1))
                producer.send(events, value, b"u", partition=partition, timestamp_ms=at_ms)
        shown = PassedOver("u", "r", NOW_MS - 900_000, ["i"])
        batch = encode(SampleBatch([], 0, 0, passed_over=[shown]))
        producer.send(negatives, batch, b"u", partition=1, timestamp_ms=NOW_MS - 4_000)
        producer.send(requests, b"\xff", partition=0, timestamp_ms=NOW_MS - 90_000)
        producer.send(requests, b"\xff", partition=1, timestamp_ms=NOW_MS - 90_000)
        producer.flush()
    commit(settings, "label-positives", {(events, part): at for part, at in COMMITTED.items()})
    commit(settings, "recall", {(requests, 0): 0})
    return settings


def commit(settings: Settings, group: str, offsets: dict[tuple[str, int], int]) -> None:
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=f"{settings.namespace}.{group}",
        enable_auto_commit=False,
    )
    with closing(consumer):
        consumer.commit(
            {TopicPartition(*place): OffsetAndMetadata(at, "", -1) for place, at in offsets.items()}
        )


@contextmanager
def reader(settings: Settings) -> Iterator[LagReader]:
    with LagReader(settings, timeout_s=10, now_ms=lambda: NOW_MS) as lags:
        yield lags


def lag_is_what_was_written_less_what_was_committed(settings: Settings) -> None:
    settings = scenario(settings)
    with reader(settings) as lags:
        rows = lags.read()
        assert lags.read() == rows  # the second look takes the records' times from the first
        ends = lags.ends([topic_name(settings.namespace, EVENTS)])
    assert ends == {topic_name(settings.namespace, EVENTS): sum(WRITTEN.values())}
    positives = _of(rows, "label-positives", EVENTS)
    assert [row.records for row in positives] == [4, 0, 1, 0]
    assert [row.committed for row in positives] == [3, 5, None, 0]
    assert [row.waiting_s for row in positives] == [4.0, 0.0, 1.0, 0.0]
    assert [row.event_age_s for row in positives] == [64.0, None, 61.0, None]
    assert {row.state for row in positives} == {"ok"}
    assert "oldest" in positives[2].note
    behind = _of(rows, "label-negatives", EVENTS)  # committed nothing at all
    assert [row.records for row in behind] == [7, 5, 1, 0]
    assert [row.waiting_s for row in behind] == [7.0, 5.0, 1.0, 0.0]
    negatives = _of(rows, "trainer", NEGATIVES)[1]
    assert (negatives.records, negatives.waiting_s, negatives.event_age_s) == (1, 4.0, 900.0)
    recall = _of(rows, "index", RECALL_REQUESTS)
    assert (recall[0].records, recall[0].waiting_s, recall[0].event_age_s) == (1, 90.0, 90.0)
    assert recall[0].state == "behind"
    assert (recall[1].records, recall[1].waiting_s, recall[1].state) == (None, None, "unknown")
    assert {row.records for row in rows if row.group is None} == {None}
    assert all("commit nothing" in row.note for row in rows if row.group is None)


def _of(rows: list[LagRow], role: str, topic: str) -> list[LagRow]:
    return [row for row in rows if row.role == role and row.topic.endswith(f".{topic}")]

"""Reads Kafka topics from positions that the trainer keeps itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import KafkaSettings

log = logging.getLogger(__name__)

Positions = dict[str, dict[int, int]]
"""Next offset to read, by topic and partition."""

BOOTSTRAP_MS = 2_000
RECONNECT_MS = 500
_PROBE_MS = 1_000


class Incoming(NamedTuple):
    """One record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Inbox:
    """One consumer of all partitions of some topics, without a group's assignment.

    Begins where `positions` say, else at the beginning. Positions outside what the broker still
    has are put right, with a log line. Raises BrokerUnavailable or TopicError from the
    constructor.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: list[str],
        positions: Mapping[str, Mapping[int, int]],
        group: str | None = None,
    ) -> None:
        try:
            self._consumer: Any = KafkaConsumer(
                **kafka.client_options(),
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                reconnect_backoff_max_ms=RECONNECT_MS,
            )
        except KafkaError as error:
            raise BrokerUnavailable(str(error)) from error
        try:
            self._parts = self._find(topics)
            begins = self._consumer.beginning_offsets(self._parts, timeout_ms=BOOTSTRAP_MS)
            self._ends: dict[Any, int] = self._consumer.end_offsets(
                self._parts, timeout_ms=BOOTSTRAP_MS
            )
        except KafkaError as error:
            self.close()
            raise BrokerUnavailable(str(error)) from error
        except TopicError:
            self.close()
            raise
        self.positions: Positions = {topic: {} for topic in topics}
        self.rewound = False
        """A position lay outside what the broker has, so the broker lost or dropped records."""
        self._consumer.assign(self._parts)
        for part in self._parts:
            saved = positions.get(part.topic, {}).get(part.partition)
            start = _start(part, saved, begins[part], self._ends[part])
            self.rewound |= saved not in (None, start)
            self.positions[part.topic][part.partition] = start
            self._consumer.seek(part, start)

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        return len(self.positions[topic])

    def poll(self, timeout_ms: int, max_records: int) -> list[Incoming]:
        """Records as soon as there are any; none after the timeout. Raises BrokerUnavailable."""
        return self._hand_out(self._fetch(timeout_ms, max_records))

    def waiting(self, topic: str | None = None) -> int:
        """Records on the broker that were not polled, as of its last answer."""
        return sum(
            max(0, (self._consumer.highwater(part) or self._ends[part]) - self._position(part))
            for part in self._parts
            if topic in (None, part.topic)
        )

    def missing_at_start(self) -> int:
        """Records that were there at the start and were not polled yet."""
        return sum(max(0, self._ends[part] - self._position(part)) for part in self._parts)

    def probe(self) -> None:
        """Ask the broker something. Raises BrokerUnavailable when no answer comes."""
        try:
            self._consumer.end_offsets(self._parts[:1], timeout_ms=_PROBE_MS)
        except KafkaError as error:
            raise BrokerUnavailable(str(error)) from error

    def commit(self, positions: Positions, wait: bool) -> None:
        """Tell the group's offsets to whoever watches its lag; returns at once unless `wait`."""
        offsets = {
            TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)
            for topic, parts in positions.items()
            for partition, offset in parts.items()
        }
        if not wait:
            self._consumer.commit_async(offsets)
            return
        try:
            self._consumer.commit(offsets, timeout_ms=_PROBE_MS)
        except KafkaError as error:
            log.warning("commit=failed error=%r action=none", str(error))

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close(autocommit=False, timeout_ms=_PROBE_MS)

    def _fetch(self, timeout_ms: int, max_records: int) -> list[Incoming]:
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:
            raise BrokerUnavailable(str(error)) from error
        return [
            Incoming(
                part.topic,
                part.partition,
                record.offset,
                record.key,
                record.value,
                record.headers,
            )
            for part, records in polled.items()
            for record in records
        ]

    def _hand_out(self, records: list[Incoming]) -> list[Incoming]:
        for record in records:
            self.positions[record.topic][record.partition] = record.offset + 1
        return records

    def _find(self, topics: list[str]) -> list[Any]:
        # Of all topics: asking for one by name may create it, with the broker's own layout.
        known = self._consumer.topics()
        parts = []
        for topic in topics:
            partitions = self._consumer.partitions_for_topic(topic) if topic in known else None
            if not partitions:
                msg = f"topic must exist: {topic}; run `penstock topics create`"
                raise TopicError(msg)
            parts += [TopicPartition(topic, partition) for partition in sorted(partitions)]
        return parts

    def _position(self, part: Any) -> int:
        return self.positions[part.topic][part.partition]


def copied(positions: Mapping[str, Mapping[int, int]]) -> Positions:
    """The same, and they stay as they are."""
    return {topic: dict(parts) for topic, parts in positions.items()}


def _start(part: Any, saved: int | None, begin: int, end: int) -> int:
    if saved is None:
        return begin
    if begin <= saved <= end:
        return saved
    log.warning(
        "position=outside topic=%s partition=%d saved=%d begin=%d end=%d action=begin",
        part.topic,
        part.partition,
        saved,
        begin,
        end,
    )
    return begin

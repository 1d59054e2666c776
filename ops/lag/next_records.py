"""Times of single records, read from Kafka at given offsets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from ops.event_times import event_time_ms
from ops.lag.rows import NextRecord
from schemas.settings import KafkaSettings

_FETCH_BYTES = 16_384
"""Of each partition: a broker sends at least one batch of records, however large."""
_FETCH_MS = 20
"""What is asked for is there; a fetch under way keeps the one for other partitions waiting."""
_POLL_MS = 200

NOTHING = NextRecord(None, None)


class NextRecords:
    """Reads the record at an offset; one that was read is not read again.

    A partition whose record does not come within the time has none, and so has one with a header
    name that is not UTF-8, which kafka-python can't parse.
    """

    def __init__(self, kafka: KafkaSettings, namespace: str) -> None:
        self._consumer: Any = KafkaConsumer(
            **kafka.client_options(),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_FETCH_MS,
        )
        self._prefix = f"{namespace}."
        self._known: dict[tuple[TopicPartition, int], NextRecord] = {}

    def read(
        self, places: Iterable[tuple[TopicPartition, int]], timeout_s: float
    ) -> Mapping[tuple[TopicPartition, int], NextRecord]:
        """The records at or after these places, within `timeout_s`. Raises KafkaError."""
        wanted = set(places)
        # What is no longer wanted is dropped, so this never grows beyond the partitions.
        self._known = {place: found for place, found in self._known.items() if place in wanted}
        deadline = time.monotonic() + timeout_s
        missing = wanted - self._known.keys()
        while missing and time.monotonic() < deadline:
            # Readers of one topic stand at different offsets of a partition, and a consumer at one.
            offsets = dict(missing)
            self._known.update(self._read_some(offsets, deadline))
            missing -= set(offsets.items())
        return self._known

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _read_some(
        self, offsets: Mapping[TopicPartition, int], deadline: float
    ) -> dict[tuple[TopicPartition, int], NextRecord]:
        consumer = self._consumer
        consumer.assign(list(offsets))
        for part, offset in offsets.items():
            consumer.seek(part, offset)
        found: dict[tuple[TopicPartition, int], NextRecord] = {}
        while len(found) < len(offsets) and time.monotonic() < deadline:
            try:
                polled = consumer.poll(timeout_ms=_POLL_MS, max_records=1)
            except UnicodeDecodeError:  # a header name; which partition's is not said
                for part in offsets if len(offsets) > 1 else ():
                    if (part, offsets[part]) not in found:
                        found |= self._read_some({part: offsets[part]}, deadline)
                break
            for part, records in polled.items():
                found[part, offsets[part]] = self._times(records[0])
            if polled:  # not by pause(): kafka-python keeps what it holds of a paused partition
                consumer.assign([part for part in offsets if (part, offsets[part]) not in found])
        consumer.assign([])
        return found

    def _times(self, record: Any) -> NextRecord:
        topic = record.topic.removeprefix(self._prefix)
        event_ms = event_time_ms(topic, record.value, record.headers, record.timestamp)
        return NextRecord(record.timestamp, event_ms)

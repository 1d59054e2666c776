"""Polling that gets past a record which aiokafka can't parse."""

from __future__ import annotations

import logging
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"

Offsets: TypeAlias = dict[tuple[str, int], int | None]
"""By topic and partition."""

_MAX_STEPS = 500
_STEP_MS = 100

_log = logging.getLogger(__name__)


async def next_offsets(consumer: AIOKafkaConsumer) -> Offsets:
    """What a poll gives next of each partition that the consumer has."""
    parts = consumer.assignment()
    return {(tp.topic, tp.partition): await consumer.position(tp) for tp in parts}


async def poll(
    consumer: AIOKafkaConsumer, timeout_ms: int, max_records: int
) -> dict[TopicPartition, list[Record]]:
    """New records, after `timeout_ms` none. Raises KafkaError.

    A record whose header name is not UTF-8 is left out, with what follows it in its batch, which
    is of the same producer. aiokafka raises UnicodeDecodeError there and would do so at each later
    poll, so that anyone who may write to a topic could stop its readers.
    """
    # Positions of before: what was drained of other partitions is lost in the exception.
    positions = {tp: await consumer.position(tp) for tp in consumer.assignment()}
    try:
        polled: dict[TopicPartition, list[Record]]
        polled = await consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
    except UnicodeDecodeError:
        kept = {tp: at for tp, at in positions.items() if tp in consumer.assignment()}
        for tp, at in kept.items():
            consumer.seek(tp, at)
        return {tp: await _step_over(consumer, tp) for tp in kept}
    return polled


async def _step_over(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[Record]:
    """The next records, one at a time, up to one that can't be parsed; that one is passed."""
    records: list[Record] = []
    for _ in range(_MAX_STEPS):
        position = await consumer.position(partition)
        end = consumer.highwater(partition)
        if end is not None and position >= end:
            break
        try:
            polled = await consumer.getmany(partition, timeout_ms=_STEP_MS, max_records=1)
        except UnicodeDecodeError:
            consumer.seek(partition, position + 1)
            text = "event=record_skipped topic=%s partition=%d offset=%d reason=header_not_utf8"
            _log.warning(text, partition.topic, partition.partition, position)
            break
        if not polled:
            break
        records += polled[partition]
    return records

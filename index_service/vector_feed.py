"""Keeps the index as `item-vectors` says: from the beginning, then live."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from index_service.connecting import connected
from index_service.figures import NodeFigures
from index_service.item_changes import decode_change
from index_service.node_index import NodeIndex
from index_service.polling import Offsets, Record, next_offsets, poll
from schemas.errors import DecodeError
from schemas.settings import Settings

_POLL_MS = 200
"""Longest wait for news, so also between two looks at the graphs."""
_MAX_RECORDS = 1_000
_SLICE_S = 0.0005
"""The loop is held no longer than this in one go, or recall would wait."""
_RETRY_S = 0.5

_log = logging.getLogger(__name__)


class VectorFeed:
    """Reads every partition of the topic, whoever else does: a node holds all shards."""

    def __init__(
        self,
        settings: Settings,
        index: NodeIndex,
        figures: NodeFigures,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._index = index
        self._figures = figures
        self._now_ms = now_ms
        self._failing = False
        self.caught_up = asyncio.Event()
        """Set once all that was in the topic at the start is in the index."""
        self.progress = "waiting for Kafka"
        """How far the loading is."""
        self.next_offsets: Offsets = {}
        """By topic and partition, the item vector to be taken in next."""

    async def run(self, partitions: Sequence[TopicPartition]) -> None:
        """Apply changes until cancelled."""
        options = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
        async with connected(
            lambda: AIOKafkaConsumer(**self._settings.kafka.client_options(), **options), "vectors"
        ) as consumer:
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            while True:
                self.next_offsets = await next_offsets(consumer)
                await self._look_if_caught_up(consumer, ends)
                for partition, records in (await self._poll(consumer)).items():
                    await self._apply(partition.partition, records)
                self._index.tend()

    async def _poll(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[Record]]:
        try:
            polled = await poll(consumer, _POLL_MS, _MAX_RECORDS)
        except KafkaError as error:
            if not self._failing:
                _log.warning("event=vectors_unreadable error=%r", str(error))
            self._failing = True
            await asyncio.sleep(_RETRY_S)
            return {}
        if polled and self._failing:
            self._failing = False
            _log.info("event=vectors_readable")
        return polled

    async def _apply(self, partition: int, records: Sequence[Record]) -> None:
        slice_ends_s = time.perf_counter() + _SLICE_S
        for record in records:
            self._apply_one(partition, record)
            if time.perf_counter() > slice_ends_s:
                await asyncio.sleep(0)
                slice_ends_s = time.perf_counter() + _SLICE_S

    def _apply_one(self, partition: int, record: Record) -> None:
        try:
            change = decode_change(record.key, record.value, record.headers)
            self._index.apply(partition, change)
        except DecodeError as error:
            self._figures.counts["bad_records"] += 1
            place = (record.topic, partition, record.offset)
            text = "event=bad_item_vector topic=%s partition=%d offset=%d error=%r"
            _log.warning(text, *place, str(error))
            return
        if self.caught_up.is_set() and change.vector is not None and change.vector.event_ts_ms:
            self._figures.searchable(self._now_ms() - change.vector.event_ts_ms)

    async def _look_if_caught_up(
        self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]
    ) -> None:
        if self.caught_up.is_set():
            return
        behind = sum([max(0, end - await consumer.position(tp)) for tp, end in ends.items()])
        self.progress = f"loading item vectors: {behind} records to go"
        if not behind:
            self.caught_up.set()
            _log.info("event=caught_up items=%d shards=%d", len(self._index), self._index.shards)

"""Keeps the shards as `item-vectors` says: from a snapshot or the beginning, then live."""

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
from index_service.polling import Offsets, Record, poll
from index_service.shard_files import ShardFiles
from schemas.errors import DecodeError
from schemas.settings import Settings

_POLL_MS = 200
"""Longest wait for news, so also between two looks at the graphs and at what to hold."""
_MAX_RECORDS = 1_000
_SLICE_S = 0.0005
"""The loop is held no longer than this in one go, or recall would wait."""
_RETRY_S = 0.5
_BEHIND_S = 0.02

_log = logging.getLogger(__name__)


class VectorFeed:
    """Reads the partitions of the shards that the node is to hold, and of those it still lends.

    A shard that goes to another node is kept, read and served until that one has loaded it.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        index: NodeIndex,
        files: ShardFiles,
        figures: NodeFigures,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._index = index
        self._files = files
        self._figures = figures
        self._now_ms = now_ms
        self._failing = False
        self._next: dict[int, int] = {}
        """By partition held, the offset to read next."""
        self._ends: dict[int, int] = {}
        """By partition that is loading, the offset at which it is loaded."""
        self.caught_up = asyncio.Event()
        """Set once all that was in the node's first shards at the start is in the index."""
        self.progress = "waiting for its shards"
        """How far the loading is."""

    @property
    def next_offsets(self) -> Offsets:
        """By topic and partition, the item vector to be taken in next; from any thread."""
        return {(self._topic, number): offset for number, offset in self._next.copy().items()}

    async def run(
        self, wanted: Callable[[], frozenset[int] | None], elsewhere: Callable[[], set[int]]
    ) -> None:
        """Apply changes until cancelled.

        `wanted`: partitions of the shards to hold; None while that is not known. `elsewhere`:
        those that other nodes of the replica can be asked about.
        """
        options = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
        async with connected(
            lambda: AIOKafkaConsumer(**self._settings.kafka.client_options(), **options), "vectors"
        ) as consumer:
            while True:
                own = wanted()
                if own is not None:
                    try:
                        await self._hold(consumer, own, elsewhere())
                    except KafkaError as error:  # tried again at the next turn
                        _log.warning("event=shards_unheld error=%r", str(error))
                if not self._next:
                    await asyncio.sleep(_POLL_MS / 1e3)
                    continue
                for partition, records in (await self._poll(consumer)).items():
                    await self._apply(partition.partition, records)
                await self._look_if_loaded(consumer)
                self._index.items.tend()
                self._files.save_some(self._next)

    async def _hold(
        self, consumer: AIOKafkaConsumer, own: frozenset[int], elsewhere: set[int]
    ) -> None:
        given_up = (self._index.held - own) & elsewhere
        new = own - self._index.held
        if not given_up and not new:
            if not own:
                self.caught_up.set()  # more nodes than shards: it asks others for all
            return
        places = [TopicPartition(self._topic, partition) for partition in sorted(new)]
        first = await consumer.beginning_offsets(places) if places else {}
        last = await consumer.end_offsets(places) if places else {}
        for partition in given_up:
            await self._let_go(partition)
            del self._next[partition]
            self._ends.pop(partition, None)
            _log.info("event=shard_given_up shard=%d", partition)
        for place in places:
            self._index.hold(place.partition)
            offset = await self._files.restore(place.partition, last[place])
            self._next[place.partition] = max(first[place], offset)
            self._ends[place.partition] = last[place]
        consumer.assign([TopicPartition(self._topic, partition) for partition in self._next])
        for partition, offset in self._next.items():
            consumer.seek(TopicPartition(self._topic, partition), offset)

    async def _let_go(self, partition: int) -> None:
        self._index.shut(partition)
        gone = False
        while not gone:
            gone = self._index.drop_some(partition)
            await asyncio.sleep(0)  # recall gets its turn

    async def _poll(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[Record]]:
        if self._index.items.behind:
            await asyncio.sleep(_BEHIND_S)  # the backends catch up
            return {}
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
            self._next[partition] = record.offset + 1
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
        self._figures.counts["changes"] += 1
        if partition not in self._ends and change.vector is not None and change.vector.event_ts_ms:
            self._figures.searchable(self._now_ms() - change.vector.event_ts_ms)

    async def _look_if_loaded(self, consumer: AIOKafkaConsumer) -> None:
        behind = 0
        for partition, end in list(self._ends.items()):
            # The consumer's position also passes what compaction and markers leave no record of.
            position = await consumer.position(TopicPartition(self._topic, partition))
            if position >= end:
                del self._ends[partition]
                self._index.open(partition)
                text = "event=shard_loaded shard=%d items=%d"
                _log.info(text, partition, self._index.items.count_in(partition))
            else:
                behind += end - position
        if behind:
            self.progress = f"loading item vectors: {behind} records to go"
        elif not self.caught_up.is_set():
            self.caught_up.set()

"""The index node: the process that holds the shards and answers recall."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from aiokafka import AIOKafkaProducer, TopicPartition
from prometheus_client import Metric

from index_service.connecting import connected, partitions_of_topic
from index_service.figures import NodeFigures
from index_service.metrics import NODE_METRICS, SHARD_METRICS
from index_service.node_index import NodeIndex
from index_service.recall_core import RecallCore
from index_service.reply_sender import ReplySender
from index_service.request_server import RequestServer
from index_service.users import UserReader
from index_service.vector_feed import VectorFeed
from schemas.metrics import families, families_by
from schemas.settings import Settings
from schemas.status import Reading, RoleReport
from schemas.topics import ITEM_VECTORS, topic_name

_SEND_TIMEOUT_MS = 5_000
_BEAT_S = 0.5


def wall_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


class IndexNode:
    """A `RoleProcess`: loads every item vector, then serves recall, on one event loop.

    Two nodes are two replicas that share the requests. A lost broker ends neither loading nor
    serving: the node goes on when it is back.
    """

    def __init__(self, settings: Settings, now_ms: Callable[[], int] = wall_ms) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._figures = NodeFigures()
        self._stop_asked = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._index: NodeIndex | None = None
        self._feed: VectorFeed | None = None
        self._server: RequestServer | None = None
        self._turned_s: float | None = None

    def run(self) -> None:
        """See `RoleProcess.run`."""
        asyncio.run(self._run_until_stopped())

    def stop(self) -> None:
        """See `RoleProcess.stop`; `run` returns within 3 s."""
        self._stop_asked.set()
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)

    def report(self) -> RoleReport:
        """See `RoleProcess.report`."""
        figures = self._figures.report()
        if self._index is not None:
            figures["items"] = float(len(self._index))
            figures["shards"] = float(self._index.shards)
            figures["dead_share"] = self._index.dead_share
            figures["other_epoch"] = float(self._index.other_epoch)
            figures["step"] = float(self._index.step)
        idle_s = 0.0 if self._turned_s is None else time.monotonic() - self._turned_s
        reason = self._reason()
        return RoleReport(not reason, reason, figures, idle_s)

    def reading(self) -> Reading:
        """See `RoleProcess.reading`."""
        readers = (reader for reader in (self._feed, self._server) if reader is not None)
        offsets = dict(chain.from_iterable(reader.next_offsets.items() for reader in readers))
        return Reading(topic_name(self._settings.namespace, "recall"), offsets)

    def collect(self) -> Iterable[Metric]:
        """See `index_service.metrics`."""
        index = self._index
        yield from families(NODE_METRICS, self.report().figures)
        yield from families_by(SHARD_METRICS, {} if index is None else index.figures_by_shard())
        yield from self._figures.recall_seconds.collect()
        yield from self._figures.event_to_searchable_seconds.collect()

    def _reason(self) -> str:
        """Why the node does not serve; empty when it does."""
        if self._feed is None:
            return "waiting for Kafka"
        if not self._feed.caught_up.is_set():
            return self._feed.progress
        if self._server is None or not self._server.serving:
            return "joining the recall group"
        return ""

    async def _run_until_stopped(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        if self._stop_asked.is_set():
            return
        beating = asyncio.create_task(self._beat())
        work = asyncio.create_task(self._work())
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, beating, work):
            task.cancel()
        try:
            await work
        except asyncio.CancelledError:
            pass

    async def _beat(self) -> None:
        """Show that the loop turns, also while Kafka is away."""
        while True:
            self._turned_s = time.monotonic()
            await asyncio.sleep(_BEAT_S)

    async def _work(self) -> None:
        settings = self._settings
        topic = topic_name(settings.namespace, ITEM_VECTORS)
        partitions = await partitions_of_topic(settings.kafka, topic)
        executor = ThreadPoolExecutor(1, thread_name_prefix="graph-builder")
        self._index = NodeIndex(settings, partitions, executor)
        self._feed = VectorFeed(settings, self._index, self._figures, self._now_ms)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed.run([TopicPartition(topic, p) for p in partitions]))
                tasks.create_task(self._serve(self._index, self._feed))
        finally:
            self._index.close()
            executor.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, index: NodeIndex, feed: VectorFeed) -> None:
        settings, figures = self._settings, self._figures
        await feed.caught_up.wait()
        users = UserReader(settings, figures, time.monotonic)
        try:
            async with connected(self._producer, "replies") as producer:
                replies = ReplySender(producer, figures)
                core = RecallCore(settings, index)
                self._server = RequestServer(settings, core, users, replies, figures, self._now_ms)
                try:
                    await self._server.run()
                finally:
                    await replies.close()
        finally:
            await users.close()

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._settings.kafka.client_options(),
            linger_ms=0,
            acks=1,
            request_timeout_ms=_SEND_TIMEOUT_MS,
        )

"""The index node: the process that holds shards and answers recall."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from aiokafka import AIOKafkaProducer
from prometheus_client import Metric
from threadpoolctl import threadpool_limits

from index_service.answering import Answering
from index_service.connecting import connected, layout_of_topic
from index_service.figures import NodeFigures
from index_service.gathering import Gatherer
from index_service.metrics import NODE_METRICS, SHARD_METRICS
from index_service.node_index import NodeIndex
from index_service.peer_link import PeerLink
from index_service.recall_core import RecallCore
from index_service.reply_sender import ReplySender
from index_service.request_server import RequestServer
from index_service.shard_files import ShardFiles
from index_service.shares import ShardShare
from index_service.users import UserReader
from index_service.vector_feed import VectorFeed
from schemas.clock import wall_ms
from schemas.metrics import families, families_by
from schemas.settings import Settings
from schemas.status import Reading, RoleReport
from schemas.topics import ITEM_VECTORS, topic_name

_SEND_TIMEOUT_MS = 5_000
_MAX_BATCH_BYTES = 1_000_000
"""Of replies that go together; a broker takes 1 MiB unless told otherwise."""
SWITCH_S = 0.0005
"""A thread that writes to the backend is not left with the interpreter for longer while a search
waits for it: by Python's own 5 ms one search in ten took 6 ms where it takes 3."""
_BEAT_S = 0.5


class IndexNode:
    """A `RoleProcess`: loads its replica's shards, or its share of them, then serves recall, on
    one event loop.

    All nodes share the requests. A lost broker ends neither loading nor serving: the node goes on
    when it is back.
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
        self._link: PeerLink | None = None
        self._server: RequestServer | None = None
        self._turned_s: float | None = None

    def run(self) -> None:
        """See `RoleProcess.run`."""
        sys.setswitchinterval(SWITCH_S)
        # Threads of BLAS wait for each other by spinning: beside other processes that takes the
        # rate by a third and triples the slowest. A node on many cores is several nodes.
        with threadpool_limits(1, user_api="blas"):
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
            figures |= {"items": 0.0} | self._index.items.figures()
            figures["shards"] = float(len(self._index.held))
            figures["shards_ready"] = float(len(self._index.ready))
            figures["other_epoch"] = float(self._index.other_epoch)
            figures["step"] = float(self._index.items.step)
        if self._link is not None:
            figures["peers"] = float(len(self._link.peers))
        if self._server is not None:
            figures["in_flight"] = float(self._server.in_flight)
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
        settings, figures = self._settings, self._figures
        topic = topic_name(settings.namespace, ITEM_VECTORS)
        layout = await layout_of_topic(settings.kafka, topic)
        builder = ThreadPoolExecutor(2, thread_name_prefix="backend")
        disk = ThreadPoolExecutor(1, thread_name_prefix="disk")
        index = self._index = NodeIndex(settings, (), builder)
        files = ShardFiles(settings, layout.identity, index, disk, figures)
        feed = self._feed = VectorFeed(settings, topic, index, files, figures, self._now_ms)
        share = ShardShare(settings, topic)
        try:
            async with connected(self._producer, "replies") as producer:
                name = f"{socket.gethostname()}-{os.getpid()}-{self._now_ms()}"
                link = PeerLink(settings, name, index, producer, figures, self._now_ms)
                self._link = link
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(share.run())
                    tasks.create_task(link.run())
                    tasks.create_task(feed.run(lambda: share.partitions, link.held_in_replica))
                    tasks.create_task(self._serve(feed, link, producer, len(layout.partitions)))
        finally:
            index.items.close()
            for executor in (builder, disk):
                executor.shutdown(wait=False, cancel_futures=True)

    async def _serve(
        self, feed: VectorFeed, link: PeerLink, producer: AIOKafkaProducer, shards: int
    ) -> None:
        settings, figures, now_ms = self._settings, self._figures, self._now_ms
        await feed.caught_up.wait()
        users = UserReader(settings, figures, time.monotonic)
        replies = ReplySender(producer, figures)
        gatherer = Gatherer(settings, link.index, link.peers, link.calls, figures, now_ms, shards)
        core = RecallCore(settings, link.index)
        answering = Answering(core, gatherer, replies, figures, now_ms)
        self._server = RequestServer(settings, answering, users, figures)
        try:
            await self._server.run()
        finally:
            await replies.close()
            await link.leave()
            await users.close()

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._settings.kafka.client_options(),
            linger_ms=0,
            max_batch_size=_MAX_BATCH_BYTES,
            acks=1,
            request_timeout_ms=_SEND_TIMEOUT_MS,
        )

"""Recall as a coroutine: `RecallClient` for asyncio."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from index_service.pending_calls import PendingCalls
from index_service.request_records import RequestRecord, recall_request, request_record
from schemas.errors import BrokerUnavailable, RecallError, TopicError
from schemas.events import FeatureValue
from schemas.recall import Condition, RecallReply, RecallRequest
from schemas.settings import Settings
from schemas.topics import RECALL_REPLIES, RECALL_REQUESTS, topic_name

_CONNECT_S = 4.0
"""For each of two connections: a broker that is not there is told of within 10 s."""
_STOP_S = 1.0
_TEND_S = 0.05
_RETRY_S = 0.1

_log = logging.getLogger(__name__)


class AsyncRecallClient:
    """Asks the index nodes over Kafka, from one event loop, as `RecallClient` does from threads.

    Use it with `async with`, or `start` it and `close` it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._requests = topic_name(settings.namespace, RECALL_REQUESTS)
        self._replies = topic_name(settings.namespace, RECALL_REPLIES)
        self._tasks: list[asyncio.Task[None]] = []
        self._pending: PendingCalls | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect. Raises BrokerUnavailable within 10 s, or TopicError when topics are missing."""
        options = self._settings.kafka.client_options()
        self._consumer = AIOKafkaConsumer(**options, enable_auto_commit=False)
        self._producer = AIOKafkaProducer(**options, acks=1, linger_ms=0)
        try:
            await asyncio.wait_for(self._consumer.start(), _CONNECT_S)
            await asyncio.wait_for(self._producer.start(), _CONNECT_S)
            self._partition = await self._listen_from_here()
            partitions = await self._partitions_of(self._requests)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._stop_clients()
            servers = self._settings.kafka.bootstrap_servers
            msg = f"Kafka must answer at kafka.bootstrap_servers; {servers}; {error!r}; is it up?"
            raise BrokerUnavailable(msg) from error
        except BaseException:
            await self._stop_clients()
            raise
        self._pending = PendingCalls(partitions)
        self._tasks = [
            asyncio.create_task(self._listen(self._pending)),
            asyncio.create_task(self._tend(self._pending)),
        ]

    async def recall(
        self,
        user_id: str | None = None,
        *,
        vector: Sequence[float] | None = None,
        item_ids: Sequence[str] | None = None,
        k: int = 10,
        filter: Mapping[str, Condition] | None = None,
        exclude: Sequence[str] = (),
        exclude_seen: bool = True,
        context: Mapping[str, FeatureValue] | None = None,
        timeout_s: float = 1.0,
    ) -> RecallReply:
        """As `RecallClient.recall`, with the same errors; it may be cancelled."""
        request = recall_request(
            user_id, vector, item_ids, k, filter, exclude, exclude_seen, context
        )
        return await self.ask(request, timeout_s)

    async def ask(self, request: RecallRequest, timeout_s: float = 1.0) -> RecallReply:
        """The reply to a request, or the error that `recall` would raise."""
        if self._pending is None:
            msg = "a client must be started before it can recall; use `async with`"
            raise RecallError(msg)
        deadline_ms = int(1e3 * (time.time() + timeout_s))
        record = request_record(request, self._replies, self._partition, deadline_ms)
        future, lane = self._pending.add(record, time.monotonic(), timeout_s)
        self._send(record, lane)
        return await asyncio.wrap_future(future)

    @property
    def retries(self) -> int:
        """Requests sent once more, since the node they went to was silent."""
        return 0 if self._pending is None else self._pending.retries

    async def close(self) -> None:
        """Disconnect, and fail what is pending with RecallError."""
        for task in [*self._tasks, *self._sending]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._sending, return_exceptions=True)
        if self._pending is not None:
            self._pending.close()
            await self._stop_clients()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _listen_from_here(self) -> int:
        """Place the consumer at the end of one partition of the replies' topic; that partition."""
        chosen = random.choice(await self._partitions_of(self._replies))
        place = TopicPartition(self._replies, chosen)
        self._consumer.assign([place])
        await self._consumer.seek_to_end(place)
        await self._consumer.position(place)  # now, not at the first poll
        return chosen

    async def _partitions_of(self, topic: str) -> list[int]:
        # Of all topics: asking for one by name may create it, with the broker's own layout.
        if topic not in await self._consumer.topics():
            msg = f"topic must exist: {topic}; run `penstock topics create`"
            raise TopicError(msg)
        return sorted(await self._producer.partitions_for(topic))

    async def _listen(self, pending: PendingCalls) -> None:
        while True:
            try:
                for records in (await self._consumer.getmany(timeout_ms=1_000)).values():
                    for record in records:
                        pending.take(record.headers, record.value, time.monotonic())
            except KafkaError as error:
                _log.warning("event=replies_unreadable error=%r", str(error))
                await asyncio.sleep(_RETRY_S)

    async def _tend(self, pending: PendingCalls) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            for record, lane in pending.tend(time.monotonic()):
                self._send(record, lane)

    def _send(self, record: RequestRecord, lane: int) -> None:
        task = asyncio.create_task(self._deliver(record, lane))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, record: RequestRecord, lane: int) -> None:
        correlation_id, value, headers = record
        try:
            await self._producer.send_and_wait(
                self._requests, value, correlation_id, lane, headers=headers
            )
        except (KafkaError, OSError) as error:
            msg = f"a request must reach {self._requests}; it did not: {error}; is Kafka up?"
            if self._pending is not None:
                self._pending.fail(correlation_id, BrokerUnavailable(msg))

    async def _stop_clients(self) -> None:
        for client in (self._consumer, self._producer):
            try:
                await asyncio.wait_for(client.stop(), _STOP_S)
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning("event=stopped_without_goodbye error=%r", str(error))

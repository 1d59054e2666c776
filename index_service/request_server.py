"""Takes recall requests from Kafka, as many as there is room for, and has them answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from index_service.answering import Answering
from index_service.calls import Call, Caller, read_call
from index_service.connecting import connected
from index_service.figures import NodeFigures
from index_service.polling import Offsets, Record, next_offsets, poll
from index_service.users import UserReader
from schemas.recall import OVERLOADED, ErrorDetail
from schemas.settings import Settings
from schemas.topics import RECALL_REQUESTS, topic_name

_POLL_MS = 1_000
_MAX_RECORDS = 256
_USERS_AT_ONCE = 64
"""Looked up together."""
_SEARCHED_AT_ONCE = 8
"""Then item vectors and other nodes get their turn."""
_SESSION_MS = 6_000
"""A node that dies is missed after this time; the least that a broker allows by default."""
_HEARTBEAT_MS = 300
"""Requests wait while the group shares itself out anew, which takes until all have heard of it."""

_log = logging.getLogger(__name__)


class RequestServer:
    """A member of the group `<namespace>.recall`, which shares the requests' partitions.

    What comes while others are answered is answered together, after them. Beyond
    `index.max_in_flight` a request is told `overloaded` at once.
    """

    def __init__(
        self, settings: Settings, answering: Answering, users: UserReader, figures: NodeFigures
    ) -> None:
        self._settings = settings
        self._answering = answering
        self._users = users
        self._figures = figures
        self._waiting: deque[Call] = deque()
        self._arrived = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self.in_flight = 0
        """Requests taken and not yet answered."""
        self.next_offsets: Offsets = {}
        """By topic and partition, the request to be read next."""
        self.serving = False
        """In the group, and placed at the end of every partition that it got."""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take())
            tasks.create_task(self._answer())

    async def _take(self) -> None:
        """Join again after an error that the consumer does not survive."""
        while True:
            async with connected(self._consumer, "requests") as consumer:
                try:
                    self.next_offsets = await next_offsets(consumer)  # "latest": from here on
                    self.serving = True
                    while True:
                        polled = await poll(consumer, _POLL_MS, _MAX_RECORDS)
                        self._accept(record for records in polled.values() for record in records)
                        self.next_offsets = await next_offsets(consumer)
                except KafkaError as error:
                    _log.warning("event=requests_unreadable error=%r", str(error))
            await asyncio.sleep(0.5)

    def _consumer(self) -> AIOKafkaConsumer:
        namespace = self._settings.namespace
        return AIOKafkaConsumer(
            topic_name(namespace, RECALL_REQUESTS),
            **self._settings.kafka.client_options(),
            group_id=f"{namespace}.recall",
            group_instance_id=self._settings.instance,
            auto_offset_reset="latest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
        )

    def _accept(self, records: Iterable[Record]) -> None:
        for record in records:
            call = read_call(
                record.value,
                record.headers,
                record.timestamp,
                self._settings.namespace,
                self._settings.index.deadline_ms,
            )
            if not isinstance(call, Call):
                place = (record.topic, record.partition, record.offset)
                text = "event=request_skipped reason=%s topic=%s partition=%d offset=%d"
                _log.warning(text, call, *place)
                self._figures.skip(call)
            elif self.in_flight >= self._settings.index.max_in_flight:
                self._turn_away(call)
            else:
                self._waiting.append(call)
                self.in_flight += 1
        if self._waiting:
            self._arrived.set()

    def _turn_away(self, call: Call) -> None:
        rule = f"a node takes at most {self._settings.index.max_in_flight} requests at a time"
        advice = "try again a little later, or add index nodes"
        self._answering.refuse(
            call, ErrorDetail(rule, f"{self.in_flight} are under way", advice), OVERLOADED
        )

    async def _answer(self) -> None:
        while True:
            await self._arrived.wait()
            calls = [
                self._waiting.popleft() for _ in range(min(_USERS_AT_ONCE, len(self._waiting)))
            ]
            if not self._waiting:
                self._arrived.clear()
            started_s = time.perf_counter()
            users = await self._users.read([call.asked for call in calls])
            callers = list(map(Caller, calls, users))
            user_ms = 1e3 * (time.perf_counter() - started_s)
            for at in range(0, len(callers), _SEARCHED_AT_ONCE):
                part = callers[at : at + _SEARCHED_AT_ONCE]
                if self._answering.at_once:
                    self._answering.answer_here(part, user_ms)
                    self.in_flight -= len(part)
                    await asyncio.sleep(0)  # replies go out, and item vectors get their turn
                else:
                    self._begin(part, user_ms)

    def _begin(self, callers: list[Caller], user_ms: float) -> None:
        """Have calls answered with the help of others, while more are taken."""

        async def answer() -> None:
            try:
                await self._answering.answer_with_others(callers, user_ms)
            finally:
                self.in_flight -= len(callers)

        task = asyncio.create_task(answer())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

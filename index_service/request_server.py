"""Answers recall requests, one after the other as they come."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from index_service.calls import Call, read_call
from index_service.connecting import connected
from index_service.figures import NodeFigures
from index_service.polling import Offsets, Record, next_offsets, poll
from index_service.recall_core import RecallCore, refusal
from index_service.reply_sender import ReplySender
from index_service.users import User, UserReader
from schemas.codec import encode
from schemas.recall import ErrorDetail, RecallReply
from schemas.settings import Settings
from schemas.topics import RECALL_REQUESTS, topic_name

_POLL_MS = 1_000
_MAX_RECORDS = 64
"""Read at once: their users are looked up together, and none of them waits for more."""
_SESSION_MS = 6_000
"""A node that dies is missed after this time; the least that a broker allows by default."""

_SHOWN_CHARS = 80

_log = logging.getLogger(__name__)


class RequestServer:
    """A member of the group `<namespace>.recall`, which shares the requests' partitions."""

    def __init__(
        self,
        settings: Settings,
        core: RecallCore,
        users: UserReader,
        replies: ReplySender,
        figures: NodeFigures,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._core = core
        self._users = users
        self._replies = replies
        self._figures = figures
        self._now_ms = now_ms
        self.next_offsets: Offsets = {}
        """By topic and partition, the request to be read next."""
        self.serving = False
        """In the group, and placed at the end of every partition that it got."""

    async def run(self) -> None:
        """Answer until cancelled; join again after an error that the consumer does not survive."""
        while True:
            async with connected(self._consumer, "requests") as consumer:
                try:
                    self.next_offsets = await next_offsets(consumer)  # "latest": from here on
                    self.serving = True
                    while True:
                        await self._answer_some(consumer)
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
            heartbeat_interval_ms=_SESSION_MS // 4,
        )

    async def _answer_some(self, consumer: AIOKafkaConsumer) -> None:
        polled = await poll(consumer, _POLL_MS, _MAX_RECORDS)
        calls = [
            call
            for records in polled.values()
            for record in records
            if (call := self._read(record)) is not None
        ]
        started_s = time.perf_counter()
        users = await self._users.read(call.user_id for call in calls if call.user_id is not None)
        user_ms = 1e3 * (time.perf_counter() - started_s)
        self._figures.in_flight = len(calls)
        for call in calls:
            self._answer(call, users, user_ms)
            self._figures.in_flight -= 1
            await asyncio.sleep(0)  # the reply goes out, and item vectors get their turn

    def _read(self, record: Record) -> Call | None:
        call = read_call(
            record.value,
            record.headers,
            record.timestamp,
            self._settings.namespace,
            self._settings.index.deadline_ms,
        )
        if isinstance(call, Call):
            return call
        place = (record.topic, record.partition, record.offset)
        text = "event=request_skipped reason=%s topic=%s partition=%d offset=%d"
        _log.warning(text, call, *place)
        self._figures.skip(call)
        return None

    def _answer(self, call: Call, users: Mapping[str, User], user_ms: float) -> None:
        started_s, now_ms = time.perf_counter(), self._now_ms()
        if now_ms > call.deadline_ms:
            self._figures.counts["dropped_late"] += 1
            return
        reply = self._reply(call, users)
        stages_ms = {
            "queued": max(0.0, now_ms - call.sent_ms - user_ms),
            "user": user_ms,
            "search": 1e3 * (time.perf_counter() - started_s),
        }
        reply = msgspec.structs.replace(reply, stages_ms=stages_ms)
        self._replies.send(call.address, encode(reply, call.form), call.form)
        self._figures.recalled(reply.status, sum(stages_ms.values()))

    def _reply(self, call: Call, users: Mapping[str, User]) -> RecallReply:
        if isinstance(call.request, ErrorDetail):
            return _refused(call, call.request)
        user = users.get(call.user_id) if call.user_id is not None else None
        try:
            reply = self._core.answer(call.request, user)
            return _refused(call, reply.error) if reply.error is not None else reply
        except Exception as error:
            # A bug, but no reason to end a node: the same request would end the next one as well.
            _log.exception("event=recall_failed correlation_id=%s", call.address.shown_id)
            detail = ErrorDetail("the node must not fail", repr(error), "see the index node's log")
            return refusal(detail)


def _refused(call: Call, broken: ErrorDetail) -> RecallReply:
    text = "event=request_refused correlation_id=%s reply_topic=%s rule=%r value=%r"
    address = call.address
    _log.warning(text, address.shown_id, address.topic, broken.rule, broken.value[:_SHOWN_CHARS])
    return refusal(broken)

"""Sends replies without ever holding up the loop that makes them."""

from __future__ import annotations

import asyncio
import logging

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from index_service.figures import NodeFigures
from index_service.reply_headers import ReplyAddress
from schemas.codec import CONTENT_TYPE
from schemas.recall import CORRELATION_ID

_MAX_UNDELIVERED = 1_000
"""Replies under way; more wait only for a broker that is gone, and would be late."""
_MAX_TO_NEW_TOPICS = 50
"""Of these, to topics not replied to before: callers may name topics that do not exist."""

_log = logging.getLogger(__name__)


class ReplySender:
    """A task for each reply, as an unknown topic or a lost broker takes seconds to fail."""

    def __init__(self, producer: AIOKafkaProducer, figures: NodeFigures) -> None:
        self._producer = producer
        self._figures = figures
        self._known_topics: set[str] = set()
        self._to_known: set[asyncio.Task[None]] = set()
        self._to_new: set[asyncio.Task[None]] = set()

    def send(self, address: ReplyAddress, value: bytes, form: str) -> None:
        """Send a reply some time soon; what can't be sent is counted."""
        known = address.topic in self._known_topics
        tasks, limit = (
            (self._to_known, _MAX_UNDELIVERED) if known else (self._to_new, _MAX_TO_NEW_TOPICS)
        )
        if len(tasks) >= limit:
            self._figures.skip("undelivered")
            return
        task = asyncio.create_task(self._deliver(address, value, form))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def close(self) -> None:
        """Give what is under way a moment, then let go of it."""
        tasks = self._to_known | self._to_new
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=0.5)
            for task in pending:
                task.cancel()

    async def _deliver(self, address: ReplyAddress, value: bytes, form: str) -> None:
        headers = [(CORRELATION_ID, address.correlation_id), (CONTENT_TYPE, form.encode())]
        try:
            partitions = await self._producer.partitions_for(address.topic)
            self._known_topics.add(address.topic)
            if address.partition is not None and address.partition not in partitions:
                self._figures.skip("unknown_reply_partition")
                return
            await self._producer.send_and_wait(
                address.topic, value, partition=address.partition, headers=headers
            )
        except (KafkaError, OSError) as error:
            self._figures.skip("undelivered")
            text = "event=reply_undelivered correlation_id=%s topic=%s error=%r"
            _log.warning(text, address.shown_id, address.topic, str(error))

"""Sends replies without ever holding up the loop that makes them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from index_service.figures import NodeFigures
from index_service.reply_headers import ReplyAddress
from schemas.codec import CONTENT_TYPE
from schemas.recall import CORRELATION_ID

_MAX_UNDELIVERED = 1_000
"""Replies under way; more wait only for a broker that is gone, and would be late."""
_MAX_TO_NEW_TOPICS = 50
"""Of these, to topics not replied to before: callers may name topics that do not exist."""

_log = logging.getLogger(__name__)


class _Place(NamedTuple):
    topic: str
    partition: int | None
    """Any, where the caller names none."""


class _Reply(NamedTuple):
    value: bytes
    headers: list[tuple[str, bytes]]
    known: bool
    """Whether the topic had been replied to when this was sent."""


class ReplySender:
    """A task for each place that replies go to, as an unknown topic or a lost broker takes seconds
    to fail. What comes while one record batch is on its way goes together in the next.
    """

    def __init__(self, producer: AIOKafkaProducer, figures: NodeFigures) -> None:
        self._producer = producer
        self._figures = figures
        self._known_topics: set[str] = set()
        self._waiting: dict[_Place, list[_Reply]] = {}
        self._under_way: Counter[bool] = Counter()  # to topics known, or not
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, address: ReplyAddress, value: bytes, form: str) -> None:
        """Send a reply some time soon; what can't be sent is counted."""
        known = address.topic in self._known_topics
        if self._under_way[known] >= (_MAX_UNDELIVERED if known else _MAX_TO_NEW_TOPICS):
            self._figures.skip("undelivered")
            return
        self._under_way[known] += 1
        headers = [(CORRELATION_ID, address.correlation_id), (CONTENT_TYPE, form.encode())]
        place = _Place(address.topic, address.partition)
        if place in self._waiting:
            self._waiting[place].append(_Reply(value, headers, known))
            return
        self._waiting[place] = [_Reply(value, headers, known)]
        task = asyncio.create_task(self._deliver(place))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give what is under way a moment, then let go of it."""
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=0.5)
            for task in pending:
                task.cancel()

    async def _deliver(self, place: _Place) -> None:
        """Send all that waits for the place, and what comes meanwhile."""
        replies: list[_Reply] = []
        try:
            while self._waiting[place]:
                replies, self._waiting[place] = self._waiting[place], []
                await self._send_all(place, replies)
                self._under_way.subtract(reply.known for reply in replies)
                replies = []
        finally:  # also when cancelled, or by a bug: who comes next begins anew
            replies += self._waiting.pop(place)
            self._under_way.subtract(reply.known for reply in replies)

    async def _send_all(self, place: _Place, replies: list[_Reply]) -> None:
        try:
            partitions = await self._producer.partitions_for(place.topic)
        except (KafkaError, OSError) as error:
            self._undelivered(place, replies, error)
            return
        self._known_topics.add(place.topic)
        if place.partition is not None and place.partition not in partitions:
            self._skip("unknown_reply_partition", replies)
            return
        partition = place.partition
        if partition is None:
            partition = random.choice(sorted(partitions))
        while replies:
            batch = self._producer.create_batch()
            sent = [*takewhile(partial(_added, batch), replies)]
            replies = replies[len(sent) :]
            try:
                await (await self._producer.send_batch(batch, place.topic, partition=partition))
            except (KafkaError, OSError) as error:
                self._undelivered(place, sent, error)

    def _undelivered(self, place: _Place, replies: Sequence[_Reply], error: Exception) -> None:
        self._skip("undelivered", replies)
        text = "event=replies_undelivered replies=%d topic=%s error=%r"
        _log.warning(text, len(replies), place.topic, str(error))

    def _skip(self, reason: str, replies: Sequence[_Reply]) -> None:
        for _ in replies:
            self._figures.skip(reason)


def _added(batch: BatchBuilder, reply: _Reply) -> bool:
    """Put the reply into the batch, unless it is full; the first one always fits."""
    added = batch.append(timestamp=None, key=None, value=reply.value, headers=reply.headers)
    return added is not None

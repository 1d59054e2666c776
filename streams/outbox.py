"""Sends to Kafka until the broker has acknowledged, through outages."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import faust
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.exceptions import ProducerSendError

log = logging.getLogger(__name__)

_RETRY_S = 0.5
ROOM_BYTES = 64_000_000
"""Labels that may wait for the broker before no more events are taken."""


class Letter(NamedTuple):
    """One record to send."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes


class _Outgoing(NamedTuple):
    letter: Letter
    delivered: Callable[[], None]


@dataclass(slots=True)
class _Lane:
    """What goes to one partition, in order."""

    waiting: deque[_Outgoing] = field(default_factory=deque)
    failed: list[_Outgoing] = field(default_factory=list)
    """To be sent again, as soon as the broker is back."""
    too_large: list[_Outgoing] = field(default_factory=list)
    """Refused for their size, or for that of others in their batch."""
    under_way: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Outbox:
    """Delivers records at least once and calls back when each is on the broker.

    A broker that does not answer, or that refuses, is tried again until it takes the record: what
    waits is safe, because its records of `events` are not acknowledged before. Only a record above
    its topic's limit would never be taken: what `instead` makes of it is sent in its place.

    One task a partition hands records to Kafka's client, which gathers them into batches: a task
    for each record would wake, with all the others, whenever a batch is full.
    """

    def __init__(
        self, instead: Callable[[Letter], list[Letter]], room_bytes: int = ROOM_BYTES
    ) -> None:
        self._instead = instead
        self._room_bytes = room_bytes
        self._app: faust.App | None = None
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._failing = False
        self._letters = 0
        self._bytes = 0
        self.retries = 0
        """Sends that had to be tried again."""

    def connect(self, app: faust.App) -> None:
        """Send by this app's producer from now on."""
        self._app = app

    def send(self, letter: Letter, delivered: Callable[[], None]) -> None:
        """Send in the background and call `delivered` once the broker has acknowledged."""
        outgoing = self._remember(letter, delivered)
        place = (letter.topic, letter.partition)
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = _Lane()
            task = asyncio.get_running_loop().create_task(self._pump(place, lane))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        lane.waiting.append(outgoing)
        lane.changed.set()

    async def room(self) -> None:
        """Wait until less than `room_bytes` wait for the broker."""
        while self._bytes >= self._room_bytes:
            self._freed.clear()
            await self._freed.wait()

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def __len__(self) -> int:
        return self._letters

    async def _pump(self, place: tuple[str, int], lane: _Lane) -> None:
        """Send what is in the lane, until all of it is on the broker."""
        while True:
            if lane.failed:
                await asyncio.sleep(_RETRY_S)
                lane.waiting.extendleft(reversed(lane.failed))
                lane.failed.clear()
            elif lane.too_large and not lane.under_way:
                await self._send_alone(lane, lane.too_large.pop(0))
            elif lane.waiting and not lane.too_large:
                await self._hand_over(lane, lane.waiting.popleft())
            elif lane.under_way:
                lane.changed.clear()
                await lane.changed.wait()
            else:
                del self._lanes[place]
                return

    async def _hand_over(self, lane: _Lane, outgoing: _Outgoing) -> None:
        """Give the record to Kafka's client, whose answer comes later."""
        try:
            answer = await self._begin(outgoing.letter)
        except Exception as error:  # whatever it is, giving up would hold the partition
            self._put_back(lane, outgoing, error)
            return
        lane.under_way += 1
        answer.add_done_callback(partial(self._answered, lane, outgoing))

    def _answered(self, lane: _Lane, outgoing: _Outgoing, answer: asyncio.Future[Any]) -> None:
        lane.under_way -= 1
        lane.changed.set()
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        if error is None:
            self._note_success(outgoing)
        else:
            self._put_back(lane, outgoing, error)

    async def _send_alone(self, lane: _Lane, outgoing: _Outgoing) -> None:
        """Send a record in a batch of its own, and what is made of it if it is still too large.

        The broker refuses a whole batch when it is too large, so it may have been another's fault.
        """
        try:
            await (await self._begin(outgoing.letter))
        except Exception as error:
            if _is_too_large(error):
                self._send_instead(lane, outgoing)
            else:
                self._put_back(lane, outgoing, error)
        else:
            self._note_success(outgoing)

    def _send_instead(self, lane: _Lane, outgoing: _Outgoing) -> None:
        """Parts for the same partition are next, so that the order stays; others go their way."""
        whole = outgoing.letter
        parts = self._instead(whole)
        left = len(parts)

        def one_delivered() -> None:
            nonlocal left
            left -= 1
            if not left:
                outgoing.delivered()

        next_ones = []
        for part in parts:
            if (part.topic, part.partition) == (whole.topic, whole.partition):
                next_ones.append(self._remember(part, one_delivered))
            else:
                self.send(part, one_delivered)
        lane.too_large[:0] = next_ones
        self._forget(outgoing)
        if not parts:
            outgoing.delivered()

    async def _begin(self, letter: Letter) -> asyncio.Future[Any]:
        if self._app is None:
            msg = "no app is connected"
            raise ProducerSendError(msg)
        answer: Any = await self._app.producer.send(
            letter.topic, letter.key, letter.value, letter.partition, None, None
        )
        future: asyncio.Future[Any] = asyncio.ensure_future(answer)
        return future

    def _put_back(self, lane: _Lane, outgoing: _Outgoing, error: BaseException) -> None:
        if _is_too_large(error):
            lane.too_large.append(outgoing)
            return
        lane.failed.append(outgoing)
        self.retries += 1
        if not self._failing:  # once an outage, not once a record
            self._failing = True
            log.warning(
                "delivery=failing topic=%s bytes=%d error=%r action=retrying",
                outgoing.letter.topic,
                len(outgoing.letter.value),
                error,
            )

    def _note_success(self, outgoing: _Outgoing) -> None:
        if self._failing:
            self._failing = False
            log.info("delivery=back topic=%s", outgoing.letter.topic)
        self._forget(outgoing)
        outgoing.delivered()

    def _remember(self, letter: Letter, delivered: Callable[[], None]) -> _Outgoing:
        self._letters += 1
        self._bytes += len(letter.value)
        return _Outgoing(letter, delivered)

    def _forget(self, outgoing: _Outgoing) -> None:
        self._letters -= 1
        self._bytes -= len(outgoing.letter.value)
        self._freed.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("delivery=failed error=%r", task.exception())


def _is_too_large(error: BaseException) -> bool:
    """Whether the broker, or the producer before it, refuses the record for its size.

    What the producer refuses itself, Faust wraps.
    """
    cause = error.__cause__ if isinstance(error, ProducerSendError) else error
    return isinstance(cause, MessageSizeTooLargeError | RecordListTooLargeError)

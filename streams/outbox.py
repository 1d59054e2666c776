"""Sends to Kafka until the broker has acknowledged, through outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

import faust
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.exceptions import ProducerSendError

log = logging.getLogger(__name__)

_RETRY_S = 0.5


class Letter(NamedTuple):
    """One record to send."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes


class Outbox:
    """Delivers records at least once and calls back when each is on the broker.

    A broker that does not answer, or that refuses, is tried again until it takes the record: what
    waits is safe, because its records of `events` are not acknowledged before. Only a record above
    its topic's limit would never be taken: what `instead` makes of it is sent in its place.
    """

    def __init__(self, instead: Callable[[Letter], list[Letter]]) -> None:
        self._instead = instead
        self._app: faust.App | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing = False
        self.retries = 0
        """Sends that had to be tried again."""

    def connect(self, app: faust.App) -> None:
        """Send by this app's producer from now on."""
        self._app = app

    def send(self, letter: Letter, delivered: Callable[[], None]) -> None:
        """Send in the background and call `delivered` once the broker has acknowledged."""
        task = asyncio.get_running_loop().create_task(self._deliver(letter, delivered))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    async def _deliver(self, letter: Letter, delivered: Callable[[], None]) -> None:
        await self._send_until_taken(letter)
        delivered()

    async def _send_until_taken(self, letter: Letter) -> None:
        while True:
            try:
                await self._send(letter)
            except Exception as error:  # whatever it is, giving up would hold the partition
                if _is_too_large(error):
                    break
                self._note_failure(letter, error)
                await asyncio.sleep(_RETRY_S)
            else:
                self._note_success(letter)
                return
        for part in self._instead(letter):
            await self._send_until_taken(part)

    async def _send(self, letter: Letter) -> None:
        if self._app is None:
            msg = "no app is connected"
            raise ProducerSendError(msg)
        await self._app.producer.send_and_wait(
            letter.topic, letter.key, letter.value, letter.partition, None, None
        )

    def _note_success(self, letter: Letter) -> None:
        if self._failing:
            self._failing = False
            log.info("delivery=back topic=%s", letter.topic)

    def _note_failure(self, letter: Letter, error: Exception) -> None:
        self.retries += 1
        if not self._failing:  # once an outage, not once a record
            self._failing = True
            log.warning(
                "delivery=failing topic=%s bytes=%d error=%r action=retrying",
                letter.topic,
                len(letter.value),
                error,
            )

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("delivery=failed error=%r", task.exception())


def _is_too_large(error: Exception) -> bool:
    """Whether the broker, or the producer before it, refuses the record for its size.

    What the producer refuses itself, Faust wraps.
    """
    cause = error.__cause__ if isinstance(error, ProducerSendError) else error
    return isinstance(cause, MessageSizeTooLargeError | RecordListTooLargeError)

"""Where a labelling app reads from, once Faust has dropped what it had fetched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing

from faust.types import EventT
from kafka import KafkaProducer

from ops.broker import create_topics
from schemas.settings import KafkaSettings, Settings
from schemas.topics import EVENTS, topic_name
from streams.app import build_app
from streams.sensor import LabelTimes
from tests.support.servers import KafkaServer

_RECORDS = 3


class _Reader:
    """A labeller that notes what comes, and acknowledges none of it."""

    def __init__(self) -> None:
        self.events: list[EventT[bytes]] = []

    @property
    def offsets(self) -> list[int]:
        return [event.message.offset for event in self.events]

    async def room(self) -> None:
        pass

    def handle(self, event: EventT[bytes]) -> None:
        self.events.append(event)

    def tick(self) -> None:
        pass

    def assign(self, partitions: set[int]) -> None:
        pass


def test_what_a_rebalance_dropped_is_read_again(kafka: KafkaServer) -> None:
    """Faust seeks at the end of each rebalance; by then it may have fetched and dropped."""
    settings = Settings(
        namespace="seeking", kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    )
    create_topics(settings)
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        for number in range(_RECORDS):
            value = str(number).encode()
            producer.send(topic_name("seeking", EVENTS), value=value, partition=0)
    asyncio.run(_read_twice(settings))


async def _read_twice(settings: Settings) -> None:
    reader = _Reader()
    app = build_app(settings, "seeking", reader, 0.0, LabelTimes())
    every = list(range(_RECORDS))
    try:
        await app.start()
        await _eventually(lambda: reader.offsets == every)

        await app.consumer.perform_seek()  # of a partition without a commit
        await _eventually(lambda: reader.offsets == every * 2)

        reader.events[_RECORDS].ack()
        await app.consumer.commit()
        reader.events.clear()
        await app.consumer.perform_seek()  # of one with a commit
        await _eventually(lambda: reader.offsets == every[1:])
    finally:
        await app.stop()


async def _eventually(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)

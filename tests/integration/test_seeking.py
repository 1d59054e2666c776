"""Where a labelling app reads from, once Faust has dropped what it had fetched."""

from __future__ import annotations

import asyncio
from contextlib import closing

from faust.types import EventT
from kafka import KafkaProducer

from ops.broker import create_topics
from schemas.settings import KafkaSettings, Settings
from schemas.topics import EVENTS, topic_name
from streams.app import build_app
from streams.sensor import LabelTimes
from tests.support.polling import eventually
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

    async def read(expected: list[int], what: str) -> None:
        def arrived(offsets: list[int]) -> bool:
            return offsets == expected

        await asyncio.to_thread(eventually, lambda: reader.offsets, arrived, what, 60.0)

    try:
        await app.start()
        await read(every, "all records")

        await app.consumer.perform_seek()
        await read(every * 2, "all records again, of a partition without a commit")

        reader.events[_RECORDS].ack()
        await app.consumer.commit()
        reader.events.clear()
        await app.consumer.perform_seek()
        await read(every[1:], "the records from the committed offset on")
    finally:
        await app.stop()

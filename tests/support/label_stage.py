"""A labelling stage on a real Kafka: workers, and records put on chosen partitions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer

from ops.broker import create_topics
from schemas.codec import encode
from schemas.events import EXPOSURE, Event
from schemas.settings import KafkaSettings, LabellingSettings, Settings
from schemas.topics import EVENTS, NEGATIVES, topic_name
from tests.support.label_workers import LabelWorkers, label_workers, read_samples
from tests.support.live import now_ms
from tests.support.polling import eventually
from tests.support.servers import KafkaServer

RULES = LabellingSettings(window_ms=3_600_000, lateness_ms=1_000)
"""A window that the idle clock does not close while a test runs."""
_LONG_AGO_MS = 10 * RULES.window_ms


class Events:
    """Publishes records to chosen partitions and remembers them."""

    def __init__(self, settings: Settings) -> None:
        self._topic = topic_name(settings.namespace, EVENTS)
        self._producer = KafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap_servers, linger_ms=20
        )
        self._marks = 0
        self.sent: list[Event] = []
        self.start_ms = now_ms() - 2 * _LONG_AGO_MS

    def put(self, partition: int, events: list[Event]) -> None:
        """One record; returns before it is on the broker."""
        self.sent += events
        self._producer.send(self._topic, key=b"u", value=encode(events), partition=partition)

    def shown(self, partition: int, request_id: str, items: int) -> None:
        """A record of exposures that wait, all at `start_ms`."""
        ids = [f"item-{number}" for number in range(items)]
        self.put(partition, [Event(EXPOSURE, "u", i, request_id, self.start_ms) for i in ids])

    def mark(self, partition: int) -> str:
        """An exposure long after its window: its negative tells that all before it was read.

        Returns its request id.
        """
        self._marks += 1
        request_id = f"mark-{partition}-{self._marks}"
        old_ms = self.start_ms - _LONG_AGO_MS
        self.put(partition, [Event(EXPOSURE, "u", "i", request_id, old_ms)])
        return request_id

    def close_windows(self, partitions: int) -> None:
        """A signal long after everything on every partition."""
        for partition in range(partitions):
            late_ms = self.start_ms + _LONG_AGO_MS
            self.put(partition, [Event("view", "u", "end", f"end-{partition}", late_ms)])
        self.flush()

    def flush(self) -> None:
        self._producer.flush(timeout=60)

    def close(self) -> None:
        self._producer.close()


@contextmanager
def stage(
    kafka: KafkaServer, namespace: str, folder: Path
) -> Iterator[tuple[LabelWorkers, Events]]:
    settings = Settings(
        namespace=namespace,
        kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers),
        labelling=RULES,
    )
    create_topics(settings)
    events = Events(settings)
    try:
        with label_workers(settings, folder) as workers:
            yield workers, events
    finally:
        events.close()


def await_negatives_of(workers: LabelWorkers, request_ids: set[str]) -> None:
    eventually(
        lambda: {sample.request_id for sample in read_samples(workers.settings, NEGATIVES)},
        lambda found: request_ids <= found,
        f"negatives of {len(request_ids)} late exposures",
    )

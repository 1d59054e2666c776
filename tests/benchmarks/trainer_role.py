"""The whole trainer role: from positives on Kafka to learned steps, users in Redis and vectors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kafka import KafkaProducer

from ops.broker import create_topics
from ops.role_status import read_statuses
from ops.stack import Stack, with_addresses
from schemas.codec import encode
from schemas.events import Item
from schemas.samples import SampleBatch
from schemas.settings import EmbeddedSettings, Settings
from schemas.topics import ITEMS, POSITIVES, topic_name
from tests.benchmarks.brokers import embedded_broker
from tests.benchmarks.rounds import Figures
from tests.support.polling import eventually
from tests.support.servers import KAFKA_HOME, REDIS_SERVER, KafkaServer, running_redis

REAL = bool(KAFKA_HOME and REDIS_SERVER)
"""Else the embedded broker stands in for both."""

_DEADLINE_S = 120


@contextmanager
def own_broker(settings: Settings, folder: Path) -> Iterator[Settings]:
    """The settings with Kafka and Redis of this block's own, real ones where there are any."""
    with ExitStack() as closing:
        if not REAL:
            yield closing.enter_context(embedded_broker(settings, folder))
            return
        kafka = KafkaServer(folder / "kafka")
        closing.callback(kafka.stop)
        kafka.start()
        redis_url = closing.enter_context(running_redis(folder / "redis"))
        yield with_addresses(settings, kafka.bootstrap_servers, redis_url)


@contextmanager
def running_role(settings: Settings, folder: Path, items: list[Item]) -> Iterator[RunningRole]:
    """A trainer's process that knows the items, on a broker of its own."""
    with ExitStack() as closing:
        own = closing.enter_context(own_broker(settings, folder))
        trainer = own.trainer.model_copy(update={"checkpoint_dir": folder / "checkpoints"})
        data = EmbeddedSettings(data_dir=folder / "data")
        own = own.model_copy(update={"trainer": trainer, "embedded": data})
        create_topics(own)
        role = RunningRole(own)
        closing.callback(role.close)
        role.start(items)
        yield role


class RunningRole:
    """Sends what the trainer reads, and reads in its status what it did."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = Stack(settings, external=True)
        self._producer = KafkaProducer(**settings.kafka.client_options(), linger_ms=20)
        self._sent = 0

    def start(self, items: list[Item]) -> None:
        for item in items:
            self._send(ITEMS, item.item_id, encode(item))
        self._producer.flush()
        self._stack.start_role("trainer")
        self._await_figure("items", len(items))

    def learn_timed(self, batches: list[SampleBatch]) -> Figures:
        """Rate between the first and the last status that saw it at work on these positives.

        A status comes once a second; work that is over sooner is timed from its beginning.
        """
        begun = self._figures()["positives"]
        seen = {time.time_ns() // 1_000_000: begun}  # positives learned, by the status's time
        self._sent += sum(len(batch.samples) for batch in batches)
        for batch in batches:
            self._send(POSITIVES, batch.samples[0].user_id, encode(batch))
        self._producer.flush()
        deadline_s = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline_s:
            for status in read_statuses(self._settings):
                learned = status.figures["positives"] - status.figures["pending"]
                if begun < learned:
                    seen[status.reported_ms] = learned
            if max(seen.values(), default=0) >= self._sent:
                return Figures(_slope(seen))
            time.sleep(0.05)
        msg = f"the trainer learns {self._sent} positives within {_DEADLINE_S} s; saw {seen}"
        raise TimeoutError(msg)

    def close(self) -> None:
        self._producer.close()
        self._stack.stop()

    def _send(self, topic: str, key: str, value: bytes) -> None:
        self._producer.send(topic_name(self._settings.namespace, topic), value, key=key.encode())

    def _figures(self) -> dict[str, float]:
        statuses = read_statuses(self._settings)
        return statuses[0].figures if statuses else {}

    def _await_figure(self, name: str, value: float) -> None:
        eventually(self._figures, lambda f: f.get(name) == value, f"{name} = {value}")


def _slope(seen: dict[int, float]) -> float:
    """Positives a second between the first status and the last that was still at work."""
    times = sorted(seen)
    first, last = (times[1], times[-2]) if len(times) > 3 else (times[0], times[-1])
    return 1_000 * (seen[last] - seen[first]) / max(last - first, 1)

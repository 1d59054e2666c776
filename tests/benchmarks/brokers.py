"""Kafka and Redis for a benchmark: real ones where this machine has them, else the embedded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ops.children import Child, stop_children
from ops.embedded import HOST, accepts_connections, embedded_command
from ops.role_status import address
from ops.stack import with_addresses
from schemas.settings import Settings
from tests.support.polling import eventually
from tests.support.servers import KAFKA_HOME, REDIS_SERVER, KafkaServer, free_port, running_redis

_GRACE_S = 10


@contextmanager
def embedded_broker(settings: Settings, folder: Path) -> Iterator[Settings]:
    """The settings with an embedded broker of this block's own."""
    kafka, redis = free_port(), free_port()
    data = folder / "broker"
    data.mkdir(parents=True)
    broker = Child("broker", embedded_command(data, kafka, redis), folder / "logs" / "broker.log")
    try:
        eventually(
            lambda: accepts_connections(kafka) and accepts_connections(redis),
            bool,
            "the embedded broker listens",
        )
        yield with_addresses(settings, f"{HOST}:{kafka}", f"redis://{HOST}:{redis}/0")
    finally:
        stop_children([broker], _GRACE_S)


@contextmanager
def own_broker(settings: Settings, folder: Path) -> Iterator[tuple[Settings, str]]:
    """The settings with servers of this block's own, and what those are.

    Apache Kafka where KAFKA_HOME names one, with a real Redis where one is installed.
    """
    with ExitStack() as closing:
        if KAFKA_HOME is None:
            yield closing.enter_context(embedded_broker(settings, folder)), "embedded broker"
            return
        kafka = KafkaServer(folder / "kafka")
        kafka.start()
        closing.callback(kafka.stop)
        if REDIS_SERVER is not None:
            redis_url, name = closing.enter_context(running_redis(folder / "redis")), "Redis"
        else:
            beside = closing.enter_context(embedded_broker(settings, folder))
            redis_url, name = f"redis://{address(beside.redis)}/0", "embedded Redis"
        on_both = with_addresses(settings, kafka.bootstrap_servers, redis_url)
        yield on_both, f"Apache Kafka and {name}"

"""One stack on a real Apache Kafka, and on a real Redis where one is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ops.children import Child, stop_children
from ops.embedded import HOST, embedded_command
from ops.stack import Stack, with_addresses
from schemas.settings import EmbeddedSettings, Settings
from tests.support.live import Live, fast_settings
from tests.support.polling import eventually
from tests.support.servers import (
    KAFKA_HOME,
    REDIS_SERVER,
    KafkaServer,
    free_port,
    listens,
    running_redis,
)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    if KAFKA_HOME is None:
        pytest.skip("KAFKA_HOME is not set; it names an unpacked Apache Kafka")
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis server where one is installed, else the embedded one."""
    folder = tmp_path_factory.mktemp("redis")
    if REDIS_SERVER is not None:
        with running_redis(folder) as url:
            yield url
        return
    port = free_port()
    command = embedded_command(folder, free_port(), port)
    child = Child("redis", command, folder / "redis.log")
    try:
        eventually(lambda: listens(port), bool, f"Redis listens on {port}")
        yield f"redis://{HOST}:{port}/0"
    finally:
        stop_children([child], grace_s=5)


@pytest.fixture(scope="session")
def live(
    kafka: KafkaServer, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    folder: Path = tmp_path_factory.mktemp("stack")
    settings = fast_settings(Settings(embedded=EmbeddedSettings(data_dir=folder)), "integration")
    with ExitStack() as closing:
        stack = Stack(with_addresses(settings, kafka.bootstrap_servers, redis_url), external=True)
        closing.enter_context(stack)
        running = Live(stack)
        closing.callback(running.close)
        yield running

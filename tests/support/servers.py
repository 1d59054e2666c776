"""A real Apache Kafka and a real Redis as child processes on free ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.children import Child, stop_children
from tests.support.polling import eventually

KAFKA_HOME = os.environ.get("KAFKA_HOME")
REDIS_SERVER = shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class KafkaServer:
    """One node in KRaft mode, whose data outlives a kill."""

    def __init__(self, folder: Path) -> None:
        assert KAFKA_HOME is not None
        self._bin = Path(KAFKA_HOME).resolve() / "bin"
        self._folder = folder
        self._config = folder / "server.properties"
        self.port = free_port()
        self._controller_port = free_port()
        self._child: Child | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            "\n".join(
                [
                    "process.roles=broker,controller",
                    "node.id=1",
                    f"controller.quorum.voters=1@127.0.0.1:{self._controller_port}",
                    f"listeners=PLAINTEXT://127.0.0.1:{self.port},"
                    f"CONTROLLER://127.0.0.1:{self._controller_port}",
                    f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}",
                    "controller.listener.names=CONTROLLER",
                    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                    f"log.dirs={folder / 'data'}",
                    "offsets.topic.replication.factor=1",
                    "transaction.state.log.replication.factor=1",
                    "transaction.state.log.min.isr=1",
                    "group.initial.rebalance.delay.ms=0",
                    "auto.create.topics.enable=false",
                    "",
                ]
            )
        )
        command = [self._bin / "kafka-storage.sh", "format", "-c", self._config]
        subprocess.run(
            [*map(str, command), "-t", str(uuid.uuid4())],
            check=True,
            stdout=subprocess.DEVNULL,
            env=self._env(),
        )

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(self._bin / "kafka-server-start.sh"), str(self._config)]
        self._child = Child("kafka", command, self._folder / "server.log", self._env())

        def running() -> bool:
            assert self._child is not None
            self._child.check()
            return listens(self.port)

        eventually(running, bool, f"Kafka listens on {self.port}")

    def stop(self) -> None:
        if self._child is not None:
            stop_children([self._child], grace_s=20)
            self._child = None

    def kill(self) -> None:
        assert self._child is not None
        self._child.kill()
        self._child = None

    def _env(self) -> dict[str, str]:
        return {
            **os.environ,
            "KAFKA_HEAP_OPTS": "-Xmx512m -Xms256m",
            "LOG_DIR": str(self._folder / "logs"),
        }


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis server of this block's own."""
    assert REDIS_SERVER is not None
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [REDIS_SERVER, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    child = Child("redis", [*command, "--save", ""], folder / "redis.log")
    try:
        eventually(lambda: listens(port), bool, f"Redis listens on {port}")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        stop_children([child], grace_s=5)

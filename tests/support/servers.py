"""A real Apache Kafka and a real Redis as child processes on free ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator, Sequence
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


class KafkaNode:
    """One node in KRaft mode with these properties, whose data outlives a kill."""

    def __init__(
        self,
        folder: Path,
        port: int,
        properties: Sequence[str],
        format_options: Sequence[str] = (),
    ) -> None:
        """`port` is that of clients."""
        assert KAFKA_HOME is not None
        self.bin = Path(KAFKA_HOME).resolve() / "bin"
        self.port = port
        self._folder = folder
        self._config = folder / "server.properties"
        self._child: Child | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text("\n".join([*properties, ""]))
        command = [self.bin / "kafka-storage.sh", "format", "-c", self._config]
        subprocess.run(
            [*map(str, command), "-t", str(uuid.uuid4()), *format_options],
            check=True,
            stdout=subprocess.DEVNULL,
            env=self._env(),
        )

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(self.bin / "kafka-server-start.sh"), str(self._config)]
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


class KafkaServer(KafkaNode):
    """A node as tests want one: on free ports, and quick."""

    protocol = "PLAINTEXT"
    """How clients connect."""

    def __init__(
        self, folder: Path, properties: Sequence[str] = (), format_options: Sequence[str] = ()
    ) -> None:
        protocol, port, controller_port = self.protocol, free_port(), free_port()
        listeners = f"{protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"
        super().__init__(
            folder,
            port,
            [
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@127.0.0.1:{controller_port}",
                f"listeners={listeners}",
                f"advertised.listeners={protocol}://127.0.0.1:{port}",
                "controller.listener.names=CONTROLLER",
                f"listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocol}:{protocol}",
                f"inter.broker.listener.name={protocol}",
                f"log.dirs={folder / 'data'}",
                "offsets.topic.replication.factor=1",
                "transaction.state.log.replication.factor=1",
                "transaction.state.log.min.isr=1",
                "group.initial.rebalance.delay.ms=0",
                "auto.create.topics.enable=false",
                *properties,
            ],
            format_options,
        )


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

"""The services of docker-compose.yml as processes of this machine, for where no Docker is.

Each runs its own command in its own environment. Only what belongs to the containers differs:
host names and ports become free ones here, and folders lie in the test's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ops.children import Child, stop_children
from tests.support.polling import eventually
from tests.support.servers import REDIS_SERVER, KafkaNode, free_port, listens

FILE = Path(__file__).parents[2] / "docker-compose.yml"
_IMAGE_ONLY = ("KAFKA_HEAP_OPTS",)
"""Variables of the Kafka image that are no properties."""


class Composed:
    """Starts the services, runs their health checks, and ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
        self._ports = {number: free_port() for number in ("19092", "9092", "29093", "6379")}
        self._children: dict[str, Child] = {}
        self.kafka = self._make_kafka()

    @property
    def addresses(self) -> tuple[str, str]:
        """Of Kafka and Redis as programs on the host reach them."""
        return f"127.0.0.1:{self._ports['9092']}", f"redis://127.0.0.1:{self._ports['6379']}/0"

    def start_redis(self) -> None:
        """The service's own command, with a port and a folder of ours."""
        assert REDIS_SERVER is not None
        program, *options = self._services["redis"]["command"]
        assert program == "redis-server"
        port = self._ports["6379"]
        place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        log = self._folder / "redis.log"
        self._children["redis"] = Child("redis", [REDIS_SERVER, *options, *place], log)
        eventually(lambda: listens(port), bool, f"Redis listens on {port}")

    def run(self, service: str) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return self._run(service, self._services[service]["command"])

    def start(self, service: str) -> None:
        """Start a service that stays."""
        command = self._command(self._services[service]["command"])
        log = self._folder / f"{service}.log"
        self._children[service] = Child(service, command, log, self._environment(service))

    def check_health(self, service: str) -> subprocess.CompletedProcess[str]:
        """Run the service's health check once."""
        kind, *command = self._services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return self._run(service, command)

    def stop(self) -> None:
        """End everything, the services before what they stand on."""
        redis = self._children.pop("redis", None)
        stop_children(list(self._children.values()), grace_s=10)
        stop_children([redis] if redis else [], grace_s=5)
        self.kafka.stop()

    def _run(self, service: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(command),
            env=self._environment(service),
            capture_output=True,
            text=True,
            check=False,
        )

    def _command(self, command: Sequence[str]) -> list[str]:
        program, *options = command
        if program == "penstock":
            return [sys.executable, "-m", "ops.cli", *options]
        if program.startswith("/opt/kafka/bin/"):
            program = str(self.kafka.bin / Path(program).name)
        return [program, *map(self._here, options)]

    def _environment(self, service: str) -> dict[str, str]:
        """As in the container: no setting of the machine's own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
        wanted = self._services[service].get("environment", {})
        here = {name: self._here(str(value)) for name, value in wanted.items()}
        if "PENSTOCK_HTTP__PORT" in here:  # each container has ports of its own
            here |= {"PENSTOCK_HTTP__PORT": "0", "PENSTOCK_HTTP__HOST": "127.0.0.1"}
        return kept | here

    def _here(self, text: str) -> str:
        """Addresses and folders of the containers as they are on this machine."""
        for number, port in self._ports.items():
            for host in ("kafka", "redis", "127.0.0.1", ""):
                text = text.replace(f"{host}:{number}", f"127.0.0.1:{port}")
        return text.replace("/var/lib/", f"{self._folder}/var/lib/")

    def _make_kafka(self) -> KafkaNode:
        """The node that the image makes of its variables: KAFKA_LOG_DIRS is log.dirs."""
        variables: dict[str, Any] = self._services["kafka"]["environment"]
        properties = [
            f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={self._here(str(value))}"
            for name, value in variables.items()
            if name.startswith("KAFKA_") and name not in _IMAGE_ONLY
        ]
        return KafkaNode(self._folder / "kafka", int(self._ports["9092"]), properties)

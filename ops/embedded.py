"""The embedded broker: one child process that speaks Kafka and Redis, for one machine."""

from __future__ import annotations

import importlib.resources
import os
import socket
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import EnvironmentProblem

HOST = "127.0.0.1"


def embedded_command(data_dir: Path, kafka_port: int, redis_port: int) -> list[str]:
    """How to start it. Raises EnvironmentProblem when the extra `embedded` is not installed."""
    if find_spec("noida_db") is None:
        msg = (
            "the embedded stack needs the extra `embedded`; noida-db is not installed; "
            "run `pip install 'penstock[embedded]'`, or use a Kafka and a Redis of your own "
            "(--external)"
        )
        raise EnvironmentProblem(msg)
    # The wheel's own entry point starts this program as a child; started directly, it is ours to
    # stop by its own pid.
    program = Path(str(importlib.resources.files("noida_db").joinpath("noida-db")))
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    command = [str(program), "start", "--data-dir", str(data_dir), "--host", HOST]
    command += ["--only", "kafka,redis"]
    return [*command, "--kafka-port", str(kafka_port), "--redis-port", str(redis_port)]


def choose_port(port: int, what: str, option: str) -> int:
    """The port itself if it is free, or any free one for 0. Raises EnvironmentProblem if taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            msg = (
                f"{what} needs a free port; {HOST}:{port} is taken ({error.strerror}); "
                f"end what holds it, or give another by {option} (0 picks a free one)"
            )
            raise EnvironmentProblem(msg) from error
        return int(probe.getsockname()[1])


def accepts_connections(port: int) -> bool:
    """Whether something listens on the port of this machine."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True

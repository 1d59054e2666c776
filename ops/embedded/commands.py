"""How the embedded broker's two programs are started."""

from __future__ import annotations

import importlib.resources
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from ops.embedded.ports import HOST
from schemas.errors import EnvironmentProblem


def embedded_command(data_dir: Path, kafka_port: int, redis_port: int) -> list[str]:
    """The whole embedded broker. Raises EnvironmentProblem without the extra `embedded`."""
    _check_installed()
    command = [sys.executable, "-m", "ops.embedded.serve", "--data-dir", str(data_dir)]
    return [*command, "--kafka-port", str(kafka_port), "--redis-port", str(redis_port)]


def noida_command(data_dir: Path, kafka_port: int, redis_port: int) -> list[str]:
    """noida-db alone. Raises EnvironmentProblem without the extra `embedded`."""
    _check_installed()
    # The wheel's own entry point starts this program as a child; started directly, it is ours to
    # stop by its own pid.
    program = Path(str(importlib.resources.files("noida_db").joinpath("noida-db")))
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    command = [str(program), "start", "--data-dir", str(data_dir), "--host", HOST]
    command += ["--only", "kafka,redis"]
    return [*command, "--kafka-port", str(kafka_port), "--redis-port", str(redis_port)]


def _check_installed() -> None:
    if find_spec("noida_db") is None:
        msg = (
            "the embedded stack needs the extra `embedded`; noida-db is not installed; "
            "run `pip install 'penstock[embedded]'`, or use a Kafka and a Redis of your own "
            "(--external)"
        )
        raise EnvironmentProblem(msg)

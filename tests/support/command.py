"""The `penstock` command as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ops.stack import environment
from schemas.settings import Settings

COMMAND = [sys.executable, "-m", "ops.cli"]
_TIMEOUT_S = 300


def penstock(
    *arguments: str, settings: Settings | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with these settings in its environment."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        env=_environment(settings),
        cwd=cwd,
        check=False,
    )


def start_penstock(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start it in a folder of its own, with the default settings."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(None),
        cwd=cwd,
        start_new_session=True,
    )


def _environment(settings: Settings | None) -> Mapping[str, str]:
    if settings is not None:
        return environment(settings)
    return {name: value for name, value in os.environ.items() if "PENSTOCK" not in name}


def children_of(pid: int) -> set[int]:
    """Pids of the processes that it started and that are alive."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return {int(word) for word in listed.stdout.split()}


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet reaped does not."""
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(listed.stdout.strip()) and not listed.stdout.strip().startswith("Z")

"""The front and noida-db end together, however one of them ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ops.children import Child, stop_children
from ops.embedded import accepts_connections, choose_port, embedded_command
from schemas.errors import ChildDied
from tests.support.command import alive, children_of
from tests.support.polling import eventually


@contextmanager
def process(folder: Path) -> Iterator[tuple[Child, int]]:
    """The broker as the stack starts it, and noida's pid."""
    kafka, redis = (choose_port(0, "a test", "none") for _ in range(2))
    child = Child("broker", embedded_command(folder, kafka, redis), folder / "broker.log")
    try:

        def listening() -> bool:
            child.check()
            return accepts_connections(kafka) and accepts_connections(redis)

        eventually(listening, bool, "the broker listens")
        (noida,) = children_of(child.pid)
        yield child, noida
    finally:
        stop_children([child], grace_s=10)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_both(tmp_path: Path, how: signal.Signals) -> None:
    with process(tmp_path) as (child, noida):
        os.kill(child.pid, how)
        child.wait(deadline=float("inf"))
        with pytest.raises(ChildDied, match="exit code 0"):
            child.check()
        assert not alive(noida)


def test_noida_dies_with_a_killed_front(tmp_path: Path) -> None:
    with process(tmp_path) as (child, noida):
        child.kill()
        eventually(lambda: alive(noida), lambda runs: not runs, "noida-db is gone")


def test_the_front_ends_with_noida_and_says_so(tmp_path: Path) -> None:
    with process(tmp_path) as (child, noida):
        os.kill(noida, signal.SIGKILL)
        eventually(lambda: alive(child.pid), lambda runs: not runs, "the front is gone")
        with pytest.raises(ChildDied, match=r"exit code 1.*ended by itself with signal SIGKILL"):
            child.check()


def test_noidas_own_error_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with process(folder), ExitStack() as closing:
        with pytest.raises(ChildDied, match=r"exit code 1.*already running"):
            closing.enter_context(process(folder))

"""Waiting for a condition with a deadline, instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.05


def eventually(
    probe: Callable[[], T], met: Callable[[T], bool], what: str, timeout_s: float = 120.0
) -> T:
    """The first probed value that meets the condition; fails, naming what was awaited and seen."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = probe()
        if met(seen):
            return seen
        if time.monotonic() > deadline:
            msg = f"awaited within {timeout_s} s: {what}; last seen: {seen!r}"
            raise AssertionError(msg)
        time.sleep(_POLL_S)

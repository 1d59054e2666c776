"""Whether a process that leads was frozen so long that another may lead by now."""

from __future__ import annotations

import time
from collections.abc import Callable

FREEZE_S = 3.0
"""Half of the session that Kafka grants a leader: within it, nobody else leads."""
QUARANTINE_S = 3.0
"""Twice the time between heartbeats, whose answer tells a deposed leader so."""


def boot_clock_s() -> float:
    """Seconds that go on while the machine sleeps, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Wakefulness:
    """To be asked often: who was not able to ask for `FREEZE_S` was frozen, or as good as.

    It then counts as asleep for `QUARANTINE_S` more, in which Kafka can say who leads.
    """

    def __init__(self, now_s: Callable[[], float] = boot_clock_s) -> None:
        self._now_s = now_s
        self._asked_s: float | None = None
        self._awake_from_s = 0.0

    def awake(self) -> bool:
        """Whether what the process knows of its lead can be relied on."""
        now_s = self._now_s()
        if self._asked_s is not None and now_s - self._asked_s > FREEZE_S:
            self._awake_from_s = now_s + QUARANTINE_S
        self._asked_s = now_s
        return now_s >= self._awake_from_s

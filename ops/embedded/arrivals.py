"""Who waits for records of which topics, over all connections."""

from __future__ import annotations

from typing import Protocol


class Waiter(Protocol):
    """A held fetch; `topics` of None is any."""

    @property
    def topics(self) -> frozenset[str] | None:
        """What it reads."""

    def wake(self) -> None:
        """Something may have come."""


class Arrivals:
    """Tells waiters that something may have come to what they read."""

    def __init__(self) -> None:
        self._waiters: dict[Waiter, None] = {}

    def add(self, waiter: Waiter) -> None:
        """Wake it from now on."""
        self._waiters[waiter] = None

    def remove(self, waiter: Waiter) -> None:
        """Wake it no more."""
        self._waiters.pop(waiter, None)

    def came(self, topics: frozenset[str] | None) -> None:
        """Wake who reads one of these topics, or all waiters for None."""
        for waiter in tuple(self._waiters):
            reads = waiter.topics
            if topics is None or reads is None or not topics.isdisjoint(reads):
                waiter.wake()

"""A bound on the bytes that wait for the brokers' acknowledgement."""

from __future__ import annotations

import threading


class Room:
    """So many bytes may be under way; whoever wants more waits. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._changed = threading.Condition()

    def take(self, size_bytes: int, timeout_s: float) -> bool:
        """Wait for room and take it; False when there is none in time.

        What is larger than the limit has room once nothing else is under way.
        """

        def fits() -> bool:
            return not self._taken_bytes or self._taken_bytes + size_bytes <= self._limit_bytes

        with self._changed:
            if not self._changed.wait_for(fits, timeout_s):
                return False
            self._taken_bytes += size_bytes
            return True

    def give_back(self, size_bytes: int) -> None:
        """What was taken is acknowledged, or has failed."""
        with self._changed:
            self._taken_bytes -= size_bytes
            self._changed.notify_all()

    @property
    def taken_bytes(self) -> int:
        """What is under way."""
        return self._taken_bytes

"""A steady rate over a stream; pure."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Says how long to wait so that no more than `per_s` go out each second, on average.

    After a delay it catches up, by at most one second's worth.
    """

    def __init__(self, per_s: float, now_s: Callable[[], float]) -> None:
        self._per_s = per_s
        self._now_s = now_s
        self._due_s = now_s()

    def wait_s(self, count: int) -> float:
        """Seconds to wait before `count` more may go; 0 when they may go at once."""
        now = self._now_s()
        self._due_s = max(self._due_s, now - 1.0)
        wait = max(0.0, self._due_s - now)
        self._due_s += count / self._per_s
        return wait

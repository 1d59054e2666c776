"""Rates from counters that several processes report, and that begin anew with each; pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

_KEPT_S = 60.0


class Rates:
    """Increments of named counters over the last minute, summed over their processes."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}
        self._totals: dict[str, float] = defaultdict(float)
        self._marks: dict[str, deque[tuple[float, float]]] = defaultdict(deque)

    def update(self, counters: Iterable[tuple[str, str, float]], now_s: float) -> None:
        """Take (process, name, value) of every counter there is.

        A value below the one before is a counter that began anew at 0. What a process had counted
        when it was first seen is no increment.
        """
        last: dict[tuple[str, str], float] = {}
        for process, name, value in counters:
            before = self._last.get((process, name), value)
            self._totals[name] += value - before if value >= before else value
            last[process, name] = value
        self._last.update(last)
        for name in {name for _, name in last} | self._marks.keys():
            marks = self._marks[name]
            marks.append((now_s, self._totals[name]))
            while marks[0][0] < now_s - _KEPT_S:
                marks.popleft()

    def per_s(self, name: str, over_s: float = 5.0) -> float | None:
        """Mean rate over the last so many seconds, at most a minute; None while unknown."""
        grown = self._grown(name, over_s)
        return None if grown is None else grown[0] / grown[1]

    def increment(self, name: str, over_s: float = _KEPT_S) -> float | None:
        """By how much it has grown in the last so many seconds; None while unknown."""
        grown = self._grown(name, over_s)
        return None if grown is None else grown[0]

    def _grown(self, name: str, over_s: float) -> tuple[float, float] | None:
        marks = self._marks.get(name)
        if not marks or len(marks) < 2:
            return None
        end_s, end = marks[-1]
        start_s, start = next(mark for mark in marks if mark[0] >= end_s - over_s)
        if end_s <= start_s:
            return None
        return end - start, end_s - start_s

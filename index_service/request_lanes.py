"""Which partition a client's next request goes to: pure, given what came of the ones before."""

from __future__ import annotations

import math
from collections.abc import Collection

PROBE_S = 1.0
"""A partition without answers is tried again after this time, with one request."""


class RequestLanes:
    """The partitions of `recall.requests`, each read by one node: a dead node's give no answers
    until its group has missed it, which takes seconds. Others are used meanwhile.
    """

    def __init__(self, partitions: Collection[int]) -> None:
        self._partitions = sorted(partitions)
        self._turn = 0
        self._silent_since_s: dict[int, float] = {}
        self._answered_s: dict[int, float] = {}

    def choose(self, now_s: float, but_not: Collection[int] = ()) -> int:
        """The next of those that answer; of those that don't, each once in a while.

        `but_not` were tried for this very request: another is chosen where there is one.
        """
        open_to_all = [lane for lane in self._partitions if lane not in but_not]
        lanes = [lane for lane in open_to_all if lane not in self._silent_since_s]
        if not but_not:
            for lane, since_s in self._silent_since_s.items():
                if now_s - since_s >= PROBE_S:
                    self._silent_since_s[lane] = now_s
                    return lane
        elif lanes:  # a second try: who answered last is alive
            return max(lanes, key=self.last_answer_s)
        lanes = lanes or open_to_all or self._partitions
        self._turn += 1
        return lanes[self._turn % len(lanes)]

    def last_answer_s(self, lane: int) -> float:
        """When the last reply came to a request sent there; minus infinity before the first."""
        return self._answered_s.get(lane, -math.inf)

    def answered(self, lane: int, now_s: float) -> None:
        """A reply came to a request that was last sent there."""
        self._silent_since_s.pop(lane, None)
        self._answered_s[lane] = now_s

    def silent(self, lane: int, now_s: float) -> None:
        """A request sent there has waited too long for its reply."""
        self._silent_since_s.setdefault(lane, now_s)

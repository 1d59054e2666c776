"""When a fetch that found too little is asked again, and when it is answered."""

from __future__ import annotations

from enum import Enum, auto

from ops.embedded.messages import FetchTerms

ASK_GAP_S = 0.001
"""The shortest time between two questions of a fetch: many records wake it, few ask."""


class Step(Enum):
    """What to do now."""

    WAIT = auto()
    ASK = auto()
    GIVE = auto()


class Hold:
    """One fetch from its first question to its answer; `now_s` never goes back."""

    def __init__(self, terms: FetchTerms, now_s: float) -> None:
        """It begins with a question under way."""
        self.terms = terms
        self._deadline_s = now_s + terms.max_wait_s
        self._asked_s = now_s
        self._asking = True
        self._woken = False

    def wake(self) -> None:
        """Something may have come since the last question."""
        self._woken = True

    def answered(self, is_enough: bool, now_s: float) -> bool:
        """Whether to pass on this answer: it is enough, or the time is over.

        When the time is over but it was woken since the question, one last question is due.
        """
        self._asking = False
        is_last = not self._woken or self._asked_s >= self._deadline_s
        return is_enough or (now_s >= self._deadline_s and is_last)

    def step(self, now_s: float) -> Step:
        """What to do at this time; ASK counts as done.

        At the deadline it asks once more if it was woken, else the last answer still holds.
        """
        due_s = self.due_s
        if due_s is None or now_s < due_s:
            return Step.WAIT
        if not self._woken:
            return Step.GIVE
        self._asking, self._woken, self._asked_s = True, False, now_s
        return Step.ASK

    @property
    def due_s(self) -> float | None:
        """When `step` has something to do, unless it is woken before; None while it asks."""
        if self._asking:
            return None
        if not self._woken:
            return self._deadline_s
        return min(self._deadline_s, self._asked_s + ASK_GAP_S)

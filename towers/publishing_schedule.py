"""When a learner's items are published: what is new at once, what only moved now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from schemas.settings import TrainerSettings
from towers.publishing import Publishing

SEND_EVERY_S = 0.1
"""Between two times at which vectors that moved go: of 120, one costs .10 ms, of 30 .14."""
SEND_FOR_S = 0.02


class PublishingSchedule:
    """Looks at what moved every `publish_every_ms`, as most of it will go on moving, and sends it
    many at a time.
    """

    def __init__(
        self,
        settings: TrainerSettings,
        publishing: Publishing,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every_s = settings.publish_every_ms / 1e3
        self._publishing = publishing
        self._now_s = now_s
        self._next_look_s = self._next_send_s = 0.0
        self._steps = 0  # since the last look
        self._news = False

    def send_new(self) -> None:
        """Items came, which are new or changed: amid a turn, too."""
        self._publishing.publish_new()

    def note_step(self) -> None:
        """A step was learned, whose samples may have named new items."""
        self._steps += 1
        self._news = True

    @property
    def left_s(self) -> float:
        """Until more of what waits may go; infinite where nothing waits."""
        return self._next_send_s - self._now_s() if self._publishing.waiting else math.inf

    def turn(self, meanwhile: Callable[[], None]) -> None:
        """Send what is due; `meanwhile` is called every few milliseconds of it."""
        now_s = self._now_s()
        news, self._news = self._news, False
        if now_s >= self._next_look_s and not self._publishing.waiting:
            self._next_look_s = now_s + self._every_s
            self._publishing.publish(self._steps)
            self._steps = 0
        elif news:
            self._publishing.publish_new()
        elif now_s >= self._next_send_s:
            self._next_send_s = now_s + SEND_EVERY_S
            while self._publishing.go_on() and self._now_s() < now_s + SEND_FOR_S:
                meanwhile()

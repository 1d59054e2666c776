"""Users who are shown items and click by taste, at a steady rate of events."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from ops.demo.visit_events import visit_events
from ops.demo.world import World
from ops.pace import Pace
from streams import EventProducer

_SHOWN = 24


class Visitors(threading.Thread):
    """Each visit is a request of 24 exposures and its clicks, published as one array."""

    def __init__(
        self, world: World, users: Sequence[str], producer: EventProducer, events_per_s: float
    ) -> None:
        super().__init__(name="visitors", daemon=True)
        self._world = world
        self._users = users
        self._producer = producer
        self._pace = Pace(events_per_s, time.monotonic)
        self._random = random.Random(0)
        self._stopping = threading.Event()
        self.events = 0
        """Published so far."""

    def stop(self) -> None:
        """End, after the visit in hand."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        items, visits, wait_s = [*self._world.items], 0, 0.0
        while not self._stopping.wait(wait_s):
            visits += 1
            user = self._random.choice(self._users)
            shown = self._random.sample(items, _SHOWN)
            clicked = [item for item in shown if self._world.click(user, item)]
            now_ms, context = time.time_ns() // 1_000_000, self._world.context(user)
            events = visit_events(user, f"visit-{visits}", shown, clicked, now_ms, context)
            self._producer.send_many(events)
            self.events += len(events)
            wait_s = self._pace.wait_s(len(events))

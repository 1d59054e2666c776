"""One run of the demo: the simulated product in front of a running stack."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from index_service import RecallClient
from ops.demo.figures import Report, quantiles
from ops.demo.popular import Popular
from ops.demo.probes import ClickProbe, NewItems
from ops.demo.visits import Visits
from ops.demo.world import World
from ops.pace import Pace
from schemas.settings import Settings
from streams import EventProducer

USERS = 100
ITEMS = 1_000
_PROBE_USERS = 20
_NEW_ITEM_PERIOD_S = 0.5
_MAX_IN_FLIGHT = 32
_LOOP_S = 0.002


class DemoRun:
    """The world, its visits and its probes; call `step` until the time is up."""

    def __init__(
        self,
        settings: Settings,
        client: RecallClient,
        producer: EventProducer,
        seed: int,
        seconds: float | None,
        visits_per_s: float,
    ) -> None:
        self._client = client
        self._producer = producer
        self._seed = seed
        self._seconds = seconds
        self._visits_per_s = visits_per_s
        self.world = World(seed, users=USERS, items=ITEMS, now_ms=time.time_ns() // 1_000_000)
        in_recall = [user for user in self.world.users if self.world.arm(user) == "recall"]
        self._probe_users = in_recall[:_PROBE_USERS]
        probed = set(self._probe_users)
        self._visitors = [user for user in self.world.users if user not in probed]
        self.visits = Visits(self.world, client, producer, Popular(), seed)
        self.clicks = ClickProbe(settings, self.world, self._probe_users, client, producer, seed)
        self.new_items = NewItems(self.world, client, producer, _NEW_ITEM_PERIOD_S)

    def run(self, show: Callable[[], None], check: Callable[[], None]) -> Report:
        """Run until the time is up or Ctrl-C; `show` and `check` are called a few times a second.

        What `check` raises ends the run, and so does a probe that can't go on.
        """
        for item in list(self.world.items.values()):
            self._producer.put_item(item)
        self._producer.flush()
        draw = random.Random(self._seed)
        pace = Pace(self._visits_per_s, time.monotonic)
        probes = (self.clicks, self.new_items)
        for probe in probes:
            probe.start()
        next_look_s = 0.0
        try:
            while self._seconds is None or self.visits.elapsed_s < self._seconds:
                if self.visits.in_flight < _MAX_IN_FLIGHT:
                    time.sleep(min(pace.wait_s(1), 0.1))
                    self.visits.begin(draw.choice(self._visitors))
                else:
                    time.sleep(_LOOP_S)
                self.visits.finish()
                if self.visits.elapsed_s >= next_look_s:
                    next_look_s = self.visits.elapsed_s + 0.25
                    for probe in probes:
                        if probe.error is not None:
                            raise probe.error
                    check()
                    show()
        except KeyboardInterrupt:
            pass  # the figures so far are an answer
        finally:
            for probe in probes:
                probe.stop()
            for probe in probes:
                probe.join()
        return self.report()

    def report(self) -> Report:
        """The figures so far."""
        visits, clicks = self.visits, self.clicks
        elapsed = visits.elapsed_s
        rate = visits.click_through.rate
        published = set(self.new_items.published)
        return Report(
            seconds=round(elapsed, 1),
            seed=self._seed,
            ctr_recall=round(rate("recall", elapsed / 2, elapsed), 4),
            ctr_popular=round(rate("popular", elapsed / 2, elapsed), 4),
            ctr_random=round(rate("random", elapsed / 2, elapsed), 4),
            ctr_recall_first_half=round(rate("recall", 0, elapsed / 2), 4),
            changed_after_click=round(clicks.with_click.changed, 3),
            changed_without_click=round(clicks.without_click.changed, 3),
            kept_after_click=round(clicks.with_click.kept, 3),
            kept_without_click=round(clicks.without_click.kept, 3),
            click_to_user_vector_ms=quantiles(clicks.to_user_vector_ms),
            click_to_changed_recall_ms=quantiles(clicks.to_changed_recall_ms),
            event_to_searchable_ms=quantiles(self.new_items.to_searchable_ms),
            recall_ms=quantiles(visits.recall_ms),
            events=visits.events + clicks.events,
            clicks=visits.clicks + clicks.clicks,
            recalls=len(visits.recall_ms) + clicks.recalls,
            recall_failures=visits.recall_failures + clicks.recall_failures,
            new_items=len(published),
            new_items_recalled=len(published & visits.recalled),
        )

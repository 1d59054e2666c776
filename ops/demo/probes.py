"""Freshness as seen from outside: one click, one new item at a time, followed to its effect."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import deque
from typing import NamedTuple

from index_service import RecallClient
from ops.demo.figures import Probes
from ops.demo.visit_events import visit_events
from ops.demo.world import World
from ops.user_records import wait_for_refresh
from schemas.errors import PenstockError, RecallError
from schemas.settings import Settings
from streams import EventProducer

_TOP = 10
_TIMEOUT_S = 2.0
_EFFECT_S = 5.0
_PERIOD_S = 0.25
_LATELY = 20
_SHOWN = 10


class Shown(NamedTuple):
    """One probe, for people: a user's list before and after a click."""

    user_id: str
    clicked: str
    before: list[str]
    after: list[str]
    click_to_user_vector_ms: float


class ClickProbe(threading.Thread):
    """Again and again: recall, click, wait for the user's vector, recall again.

    Its users take no part in the visits, so that nothing but the click and the learning from
    others changes their lists. In between it recalls twice without a click, as a control.
    """

    def __init__(
        self,
        settings: Settings,
        world: World,
        users: list[str],
        client: RecallClient,
        producer: EventProducer,
        seed: int,
    ) -> None:
        super().__init__(name="click-probe", daemon=True)
        self._settings = settings
        self._world = world
        self._users = users
        self._client = client
        self._producer = producer
        self._random = random.Random(seed)
        self._clicked: dict[str, deque[str]] = {}
        self._stopping = threading.Event()
        self.error: PenstockError | None = None
        """What ended the probing early."""
        self.with_click = Probes()
        self.without_click = Probes()
        self.to_user_vector_ms: list[float] = []
        self.to_changed_recall_ms: list[float] = []
        self.events = 0
        self.clicks = 0
        self.recalls = 0
        self.recall_failures = 0
        self.unseen_clicks = 0
        """Clicks without a refreshed user vector within 5 s."""
        self._shown: deque[Shown] = deque(maxlen=_SHOWN)

    @property
    def latest(self) -> Shown | None:
        """The probe made last."""
        return self._shown[-1] if self._shown else None

    @property
    def clearest(self) -> Shown | None:
        """Of the last ten probes, the one that changed most items."""
        return min(
            self._shown, key=lambda shown: len(set(shown.before) & set(shown.after)), default=None
        )

    def stop(self) -> None:
        """End after the probe in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Probe one user after another until stopped."""
        turn = 0
        while not self._stopping.wait(_PERIOD_S):
            try:
                self._probe(self._users[turn % len(self._users)])
            except RecallError:
                self.recall_failures += 1
            except PenstockError as error:
                self.error = error
                return
            turn += 1

    def _recall(self, user_id: str) -> list[str]:
        self.recalls += 1
        # Seen items may come again: what the list loses by being seen would count as a change.
        reply = self._client.recall(user_id, k=_TOP, exclude_seen=False, timeout_s=_TIMEOUT_S)
        return [item.item_id for item in reply.items]

    def _probe(self, user_id: str) -> None:
        before = self._recall(user_id)
        if not before:
            return
        liked = self._choose(user_id, before)
        clicked_ms = self._publish(user_id, before, liked)
        waited = wait_for_refresh(self._settings, user_id, clicked_ms, _EFFECT_S)
        if waited is None:
            self.unseen_clicks += 1
            return
        after = self._recall(user_id)
        effect_ms = time.time_ns() / 1e6 - clicked_ms
        self.to_user_vector_ms.append(waited)
        if self.with_click.add(before, after):
            self.to_changed_recall_ms.append(effect_ms)
        self._shown.append(Shown(user_id, liked, before, after, waited))
        time.sleep(effect_ms / 1e3)  # as long as the click took, so that the control is fair
        self.without_click.add(after, self._recall(user_id))

    def _choose(self, user_id: str, shown: list[str]) -> str:
        """An item of the list by taste; one that was not clicked lately, if there is one."""
        clicked = self._clicked.setdefault(user_id, deque(maxlen=_LATELY))
        fresh = [item for item in shown if item not in clicked] or shown
        odds = [self._world.click_probability(user_id, item) for item in fresh]
        chosen = self._random.choices(fresh, odds)[0]
        clicked.append(chosen)
        return chosen

    def _publish(self, user_id: str, shown: list[str], clicked: str) -> int:
        request_id = f"probe-{uuid.uuid4()}"
        context = self._world.context(user_id)
        now_ms = time.time_ns() // 1_000_000
        events = visit_events(user_id, request_id, shown, [clicked], now_ms, context)
        self._producer.send_many(events)
        self.events += len(events)
        self.clicks += 1
        return now_ms


class NewItems(threading.Thread):
    """Publishes new items at a steady rate and asks for each until it can be recalled."""

    def __init__(
        self, world: World, client: RecallClient, producer: EventProducer, period_s: float
    ) -> None:
        super().__init__(name="new-items", daemon=True)
        self._world = world
        self._client = client
        self._producer = producer
        self._period_s = period_s
        self._stopping = threading.Event()
        self.error: PenstockError | None = None
        """What ended the publishing early."""
        self.published: list[str] = []
        self.to_searchable_ms: list[float] = []
        self.unseen_items = 0
        """Items not searchable within 5 s."""

    def stop(self) -> None:
        """End after the item in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Publish and follow until stopped."""
        while not self._stopping.wait(self._period_s):
            now_ms = time.time_ns() // 1_000_000
            item = self._world.new_item(now_ms)
            try:
                self._producer.put_item(item)
                self.published.append(item.item_id)
                self._follow(item.item_id, now_ms)
            except PenstockError as error:
                self.error = error
                return

    def _follow(self, item_id: str, now_ms: int) -> None:
        deadline = time.monotonic() + _EFFECT_S
        while time.monotonic() < deadline:
            # Asked for what is like it, the service says `degraded` as long as it does not know it.
            reply = self._client.recall(item_ids=[item_id], k=1, timeout_s=_TIMEOUT_S)
            if reply.status == "ok":
                self.to_searchable_ms.append(time.time_ns() / 1e6 - now_ms)
                return
        self.unseen_items += 1

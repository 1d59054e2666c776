"""Simulated visits: a user is shown a list, clicks by taste, and both become events."""

from __future__ import annotations

import random
import time
import uuid
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from index_service import RecallClient
from ops.demo.arms import Arm
from ops.demo.figures import ClickThrough
from ops.demo.popular import Popular
from ops.demo.visit_events import visit_events
from ops.demo.world import World
from schemas.errors import RecallError
from schemas.recall import RecallReply, RecallRequest
from streams import EventProducer

LIST_LENGTH = 10
_TIMEOUT_S = 2.0


class _Asked(NamedTuple):
    user_id: str
    reply: Future[RecallReply]


class Visits:
    """Runs visits of all arms, and counts what came of them.

    The arm `recall` asks the service and waits for it; `popular` shows the items that
    everybody clicks most readily, `random` any. All arms publish what was shown and clicked, as
    one product would.
    """

    def __init__(
        self,
        world: World,
        client: RecallClient,
        producer: EventProducer,
        popular: Popular,
        seed: int,
    ) -> None:
        self._world = world
        self._client = client
        self._producer = producer
        self._popular = popular
        self._random = random.Random(seed)
        self._asked: deque[_Asked] = deque()
        self._started_s = time.monotonic()
        self._number = 0
        self._run = uuid.uuid4().hex[:8]  # request ids of one run never return in the next
        self.click_through = ClickThrough()
        self.recall_ms: list[float] = []
        self.recall_failures = 0
        self.events = 0
        self.clicks = 0
        self.recalled: set[str] = set()
        """Every item that recall has ever shown."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first visit could begin."""
        return time.monotonic() - self._started_s

    @property
    def in_flight(self) -> int:
        """Visits that wait for recall."""
        return len(self._asked)

    def begin(self, user_id: str) -> None:
        """One visit of this user; those of the arm `recall` end in `finish`."""
        arm = self._world.arm(user_id)
        if arm == "recall":
            # The simulated users do not tire of an item, so no arm leaves out what was seen.
            request = RecallRequest(
                user_id=user_id,
                k=LIST_LENGTH,
                exclude_seen=False,
                context=self._world.context(user_id),
            )
            started_s = time.monotonic()
            reply = self._client.submit(request, _TIMEOUT_S)
            reply.add_done_callback(partial(self._time, started_s))
            self._asked.append(_Asked(user_id, reply))
        elif arm == "popular":
            self._show(arm, user_id, self._popular.top(LIST_LENGTH))
        else:
            self._show(arm, user_id, self._random.sample(list(self._world.items), LIST_LENGTH))

    def finish(self) -> None:
        """Go on with the visits whose reply has come."""
        for _ in range(len(self._asked)):
            asked = self._asked.popleft()
            if not asked.reply.done():
                self._asked.append(asked)
                continue
            try:
                reply = asked.reply.result()
            except RecallError:
                self.recall_failures += 1
                continue
            shown = [item.item_id for item in reply.items]
            self.recalled.update(shown)
            if shown:
                self._show("recall", asked.user_id, shown)

    def _time(self, started_s: float, reply: Future[RecallReply]) -> None:
        """Called by the client's thread as the reply comes, not when the visit goes on."""
        if not reply.cancelled() and reply.exception() is None:
            self.recall_ms.append(1e3 * (time.monotonic() - started_s))

    def _show(self, arm: Arm, user_id: str, item_ids: Sequence[str]) -> None:
        """Show the list, let the user click, and publish both."""
        self._number += 1
        request_id = f"visit-{self._run}-{self._number}"
        context = self._world.context(user_id)
        now_ms = time.time_ns() // 1_000_000
        clicked = [item_id for item_id in item_ids if self._world.click(user_id, item_id)]
        events = visit_events(user_id, request_id, item_ids, clicked, now_ms, context)
        self._popular.add(item_ids, clicked)
        self._producer.send_many(events)
        self.events += len(events)
        self.clicks += len(clicked)
        self.click_through.add(arm, self.elapsed_s, len(item_ids), len(clicked))

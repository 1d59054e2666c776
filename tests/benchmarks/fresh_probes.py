"""What `freshness` follows to its effect: one click, one new item, one record at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np
import redis
from kafka import KafkaProducer

from index_service import RecallClient
from ops.demo.visit_events import visit_events
from ops.demo.world import World
from ops.user_records import read_user
from schemas.errors import RecallError
from schemas.recall import RecallReply, RecallRequest
from schemas.settings import Settings
from streams import EventProducer
from tests.benchmarks.bare_chain import EVENTS, floor_topic

_EFFECT_S = 5.0
_LOOK_S = 0.001
_PAUSE_S = 0.02
_K = 10


class Times:
    """Milliseconds from a beginning to its effect."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self.unseen = 0
        """Effects that did not come within 5 s."""

    def add(self, taken_ms: float | None) -> None:
        if taken_ms is None:
            self.unseen += 1
        else:
            self.ms.append(taken_ms)

    def percentiles(self) -> tuple[float, float] | tuple[None, None]:
        """The 50th and the 99th, between neighbours."""
        if not self.ms:
            return None, None
        p50, p99 = np.percentile(self.ms, (50, 99))
        return round(float(p50), 1), round(float(p99), 1)


class Probes:
    """Begins one thing, looks every millisecond until it has its effect, begins the next.

    A user clicks the top item of a list from which seen items are left out, so the changed list is
    the first one without it: no learning from others is taken for the click's effect.
    """

    def __init__(
        self,
        settings: Settings,
        world: World,
        users: Sequence[str],
        client: RecallClient,
        producer: EventProducer,
        records: redis.Redis,
        floor: KafkaProducer,
    ) -> None:
        self._settings = settings
        self._world = world
        self._users = users
        self._client = client
        self._producer = producer
        self._redis = records
        self._floor = floor
        self._turn = 0
        self.forget()

    def forget(self) -> None:
        """Begin the figures anew."""
        self.floor, self.to_vector, self.to_recall = Times(), Times(), Times()
        self.to_searchable, self.recall = Times(), Times()
        self._replaced: list[float] = []

    @property
    def others_replaced(self) -> float:
        """Mean share of the changed list's items that neither were in the one before, nor took
        the place of the clicked one."""
        return sum(self._replaced) / max(1, len(self._replaced))

    def run(self, seconds: float, check: Callable[[], None]) -> None:
        """Probe all in turn; `check` raises when there is no use in going on."""
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            check()
            self._follow_record()
            self._follow_click(self._users[self._turn % len(self._users)])
            self._follow_item()
            self._turn += 1

    def _follow_record(self) -> None:
        key = f"floor-{self._turn}".encode()
        began_ms = _now_ms()
        self._floor.send(floor_topic(self._settings, EVENTS), key=key, value=b"click")
        self._floor.flush()
        self.floor.add(_until(lambda: self._redis.get(key) is not None, began_ms))
        time.sleep(_PAUSE_S)

    def _follow_click(self, user_id: str) -> None:
        before = self._recall(user_id)
        if not before:
            return
        context = self._world.context(user_id)
        began_ms = _now_ms()
        request_id = f"probe-{self._turn}"
        self._producer.send_many(
            visit_events(user_id, request_id, before, before[:1], int(began_ms), context)
        )
        call = self._ask(user_id)
        vector_ms: float | None = None
        after = before

        def changed() -> bool:
            nonlocal call, vector_ms, after
            if vector_ms is None:
                record = read_user(self._redis, self._settings, user_id)
                if record is not None and record.event_ts_ms >= int(began_ms):
                    vector_ms = _now_ms() - began_ms
            if not call.done():
                return False
            after = _items(call)
            if after and before[0] not in after and vector_ms is not None:
                return True
            call = self._ask(user_id)
            return False

        self.to_recall.add(_until(changed, began_ms))
        self.to_vector.add(vector_ms)
        self._replaced.append(max(0, len(set(after) - set(before)) - 1) / (_K - 1))
        time.sleep(_PAUSE_S)

    def _follow_item(self) -> None:
        began_ms = _now_ms()
        item = self._world.new_item(int(began_ms))
        self._producer.put_item(item)
        # Asked for what is like it, the service says `degraded` as long as it does not know it.
        request = RecallRequest(k=1, item_ids=[item.item_id])
        call = self._client.submit(request, _EFFECT_S)

        def searchable() -> bool:
            nonlocal call
            if not call.done():
                return False
            if call.exception() is None and call.result().status == "ok":
                return True
            call = self._client.submit(request, _EFFECT_S)
            return False

        self.to_searchable.add(_until(searchable, began_ms))
        time.sleep(_PAUSE_S)

    def _recall(self, user_id: str) -> list[str]:
        began_ms = _now_ms()
        items = _items(self._ask(user_id))
        self.recall.add(_now_ms() - began_ms if items else None)
        return items

    def _ask(self, user_id: str) -> Future[RecallReply]:
        return self._client.submit(RecallRequest(k=_K, user_id=user_id), _EFFECT_S)


def _items(call: Future[RecallReply]) -> list[str]:
    try:
        return [item.item_id for item in call.result(_EFFECT_S).items]
    except (RecallError, TimeoutError):
        return []


def _until(seen: Callable[[], bool], began_ms: float) -> float | None:
    """Milliseconds from the beginning to when it was seen; None after 5 s."""
    while _now_ms() - began_ms < 1e3 * _EFFECT_S:
        if seen():
            return _now_ms() - began_ms
        time.sleep(_LOOK_S)
    return None


def _now_ms() -> float:
    return time.time_ns() / 1e6

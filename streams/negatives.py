"""Exposure negatives of one partition of `events`: the join by request, with its clock; pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from schemas.events import EXPOSURE, Event
from schemas.samples import EXPOSURE_NEGATIVE, Sample, sample_id
from schemas.settings import LabellingSettings

Token = TypeVar("Token")
"""Whatever stands for the record that an exposure came in."""

IDLE_GRACE_MS = 1_000
"""A partition without records for longer than this is idle: its time moves on by the clock."""

_BUCKET_MS = 1_000


class Negative(NamedTuple, Generic[Token]):
    """An exposure whose time is up, and the record that it came in."""

    sample: Sample
    token: Token


class Step(NamedTuple, Generic[Token]):
    """What one call changed. Each hold ends once: released, or as a negative."""

    held: int
    """Exposures that now wait and positives now remembered, of the record just added."""
    released: list[Token]
    """Records of exposures settled by a positive and of positives forgotten, one entry each."""
    negatives: list[Negative[Token]]


class _Waiting(NamedTuple, Generic[Token]):
    event: Event
    token: Token


class NegativesJoin(Generic[Token]):
    """Joins exposures with positives on (request_id, item_id).

    An exposure is a negative once the watermark is past its time + `window_ms` (a watermark equal
    to it is not yet past), up to 1 s later since it is kept in buckets of 1 s. The watermark is
    the largest event time seen less `lateness_ms`; it never goes back. When no record has come for
    `IDLE_GRACE_MS` it moves on with the clock, from where the events left it and no faster, so
    that a stream of the past is labelled as a live one.

    A positive settles its exposure whenever it comes first, and is remembered until the watermark
    is past its time + `window_ms`: for the exposure that comes after it, and for duplicates. An
    exposure that comes after its own window closed is settled at once.

    All that the join knows is held by the record that it came in, so that replaying the records
    that are still held rebuilds it.
    """

    def __init__(self, rules: LabellingSettings, now_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._now_ms = now_ms
        self._waiting: dict[str, dict[str, _Waiting[Token]]] = {}
        self._acted: dict[str, dict[str, Token]] = {}
        self._exposure_buckets = _Buckets()
        self._acted_buckets = _Buckets()
        self._newest_ms: int | None = None
        self._watermark_ms: int | None = None
        self._last_arrival_ms = now_ms()
        self.pending = 0
        """Exposures waiting."""
        self.duplicates = 0
        """Exposures that were waiting already."""
        self.late = 0
        """Exposures that came after their window had closed."""

    @property
    def watermark_ms(self) -> int | None:
        """Event time that this partition has reached; None before its first event."""
        return self._watermark_ms

    def add(self, events: Iterable[Event], token: Token) -> Step[Token]:
        """Take the events of one record, which `token` stands for."""
        step = Step[Token](0, [], [])
        held = 0
        # Positives first: an exposure that comes too late to wait must find its click if that
        # stands behind it in the same record.
        exposures = []
        for event in events:
            self._newest_ms = max(event.ts_ms, self._newest_ms or 0)
            if event.action == EXPOSURE:
                exposures.append(event)
            elif event.action in self._rules.positives:
                held += self._act(event, token, step)
        for event in exposures:
            held += self._expose(event, token, step)
        self._last_arrival_ms = self._now_ms()
        self._advance(idle_ms=0)
        self._expire(step)
        return step._replace(held=held)

    def tick(self) -> Step[Token]:
        """What became due since the last record, by the idle clock."""
        quiet_ms = self._now_ms() - self._last_arrival_ms
        self._advance(idle_ms=max(0, quiet_ms - IDLE_GRACE_MS))
        step = Step[Token](0, [], [])
        self._expire(step)
        return step

    def forget(self, token: Token) -> None:
        """Drop all that `token` holds, where its record turned out to be unusable midway."""
        for waiting in self._waiting.values():
            for item_id in [item for item, held in waiting.items() if held.token == token]:
                del waiting[item_id]
                self.pending -= 1
        self._waiting = {request: waiting for request, waiting in self._waiting.items() if waiting}
        for acted in self._acted.values():
            for item_id in [item for item, held in acted.items() if held == token]:
                del acted[item_id]
        self._acted = {request: acted for request, acted in self._acted.items() if acted}

    def _expose(self, event: Event, token: Token, step: Step[Token]) -> int:
        """1 when the exposure is held, else 0."""
        if event.item_id in self._acted.get(event.request_id, ()):
            return 0
        waiting = self._waiting.setdefault(event.request_id, {})
        if event.item_id in waiting:
            self.duplicates += 1
            return 0
        deadline_ms = event.ts_ms + self._rules.window_ms
        if self._watermark_ms is not None and self._watermark_ms > deadline_ms:
            self.late += 1
            if not waiting:
                del self._waiting[event.request_id]
            step.negatives.append(Negative(_negative(event), token))
            return 1
        waiting[event.item_id] = _Waiting(event, token)
        self._exposure_buckets.put(deadline_ms, event.request_id, event.item_id)
        self.pending += 1
        return 1

    def _act(self, event: Event, token: Token, step: Step[Token]) -> int:
        """Settle the exposure if it waits, and remember the positive: 1 if that is new, else 0."""
        taken = self._take(event.request_id, event.item_id)
        if taken is not None:
            step.released.append(taken.token)
        acted = self._acted.setdefault(event.request_id, {})
        if event.item_id in acted:
            return 0
        acted[event.item_id] = token
        deadline_ms = event.ts_ms + self._rules.window_ms
        self._acted_buckets.put(deadline_ms, event.request_id, event.item_id)
        return 1

    def _take(self, request_id: str, item_id: str) -> _Waiting[Token] | None:
        waiting = self._waiting.get(request_id)
        taken = waiting.pop(item_id, None) if waiting else None
        if taken is not None:
            self.pending -= 1
            if not waiting:
                del self._waiting[request_id]
        return taken

    def _advance(self, idle_ms: int) -> None:
        if self._newest_ms is None:
            return
        reached = self._newest_ms - self._rules.lateness_ms + idle_ms
        self._watermark_ms = (
            reached if self._watermark_ms is None else max(reached, self._watermark_ms)
        )

    def _expire(self, step: Step[Token]) -> None:
        if self._watermark_ms is None:
            return
        for request_id, item_id in self._exposure_buckets.take_before(self._watermark_ms):
            taken = self._take(request_id, item_id)
            if taken is not None:
                step.negatives.append(Negative(_negative(taken.event), taken.token))
        for request_id, item_id in self._acted_buckets.take_before(self._watermark_ms):
            acted = self._acted.get(request_id)
            if acted is not None and item_id in acted:
                step.released.append(acted.pop(item_id))
                if not acted:
                    del self._acted[request_id]


class _Buckets:
    """(request, item) pairs by the second in which their time is up."""

    def __init__(self) -> None:
        self._pairs: dict[int, list[tuple[str, str]]] = {}
        self._order: list[int] = []  # heap of the keys of _pairs

    def put(self, deadline_ms: int, request_id: str, item_id: str) -> None:
        bucket = deadline_ms // _BUCKET_MS
        pairs = self._pairs.get(bucket)
        if pairs is None:
            pairs = self._pairs[bucket] = []
            heapq.heappush(self._order, bucket)
        pairs.append((request_id, item_id))

    def take_before(self, time_ms: int) -> Iterable[tuple[str, str]]:
        """Remove and give the pairs of every bucket that ends at or before `time_ms`."""
        while self._order and (self._order[0] + 1) * _BUCKET_MS <= time_ms:
            yield from self._pairs.pop(heapq.heappop(self._order))


def _negative(event: Event) -> Sample:
    return Sample(
        sample_id=sample_id(event.request_id, event.item_id, EXPOSURE),
        kind=EXPOSURE_NEGATIVE,
        action=EXPOSURE,
        user_id=event.user_id,
        item_id=event.item_id,
        request_id=event.request_id,
        ts_ms=event.ts_ms,
        context=event.context,
    )

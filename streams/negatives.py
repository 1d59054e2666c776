"""Exposure negatives of one partition of `events`: the join by request, with its clock; pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from schemas.events import EXPOSURE, Event
from schemas.samples import EXPOSURE_NEGATIVE, Sample, sample_ids
from schemas.settings import LabellingSettings
from streams.deadlines import BUCKET_MS, Deadlines

Token = TypeVar("Token", bound=Hashable)
"""Whatever stands for the record that an exposure came in."""

IDLE_GRACE_MS = 1_000
"""A partition without records for longer than this is idle: its time moves on by the clock."""


@dataclass(slots=True)
class Step(Generic[Token]):
    """What one call changed. Each hold ends once: released, or as a negative."""

    held: int = 0
    """Exposures that now wait and positives now remembered, of the record just added."""
    released: dict[Token, int] = field(default_factory=dict)
    """By record, exposures settled by a positive and positives forgotten."""
    negatives: dict[Token, list[Sample]] = field(default_factory=dict)
    """By record, exposures whose time is up."""
    duplicates: int = 0
    """Exposures that were waiting already."""
    late: int = 0
    """Exposures that came after their window had closed."""
    early: int = 0
    """Exposures settled, and positives forgotten, before their time for want of room."""

    def release(self, token: Token) -> None:
        """One hold on the record is over."""
        self.released[token] = self.released.get(token, 0) + 1


@dataclass(slots=True, eq=False)
class _Request(Generic[Token]):
    """What is known of one request."""

    request_id: str
    waiting: list[_Shown[Token]] = field(default_factory=list)
    acted: dict[str, Token] = field(default_factory=dict)
    """Items with a positive, and the record that each came in."""


@dataclass(slots=True, eq=False)
class _Shown(Generic[Token]):
    """Exposures of one request that came in one record and whose time is up in one second.

    Joined by request, since its items come together: one entry for all is several times as fast
    as one for each.
    """

    request: _Request[Token]
    token: Token
    bucket: int
    # Sharing one event among those alike halves the memory and takes some 40 % longer: the rest of
    # a record is freed in holes between the ids that stay, which the next records must fill.
    events: dict[str, Event] = field(default_factory=dict)
    """By item."""


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

    At most `max_pending_exposures` wait, and as many positives are remembered: beyond that the
    ones whose time is up first are settled early. A positive that comes after its exposure was
    settled takes the negative back wherever both are seen, so the final labels are the same.

    All that the join knows is held by the record that it came in, so that replaying the records
    that are still held rebuilds it.
    """

    def __init__(self, rules: LabellingSettings, now_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._now_ms = now_ms
        self._requests: dict[str, _Request[Token]] = {}
        self._shown = Deadlines[_Shown[Token]]()
        self._acted = Deadlines[tuple[_Request[Token], str]]()
        self._newest_ms: int | None = None
        self._watermark_ms: int | None = None
        self._last_arrival_ms = now_ms()
        self.pending = 0
        """Exposures waiting."""
        self.remembered = 0
        """Positives remembered."""

    @property
    def watermark_ms(self) -> int | None:
        """Event time that this partition has reached; None before its first event."""
        return self._watermark_ms

    def add(self, events: Iterable[Event], token: Token) -> Step[Token]:
        """Take the events of one record, which `token` stands for."""
        step = Step[Token]()
        newest_ms = self._newest_ms or 0
        any_event = self._newest_ms is not None
        # Positives first: an exposure that comes too late to wait must find its click if that
        # stands behind it in the same record.
        exposures = []
        for event in events:
            any_event = True
            if event.ts_ms > newest_ms:
                newest_ms = event.ts_ms
            if event.action == EXPOSURE:
                exposures.append(event)
            elif event.action in self._rules.positives:
                self._act(event, token, step)
        if exposures:
            self._expose(exposures, token, step)
        if any_event:
            self._newest_ms = newest_ms
        self._last_arrival_ms = self._now_ms()
        self._advance(idle_ms=0)
        self._expire(step)
        return step

    def tick(self) -> Step[Token]:
        """What became due since the last record, by the idle clock."""
        quiet_ms = self._now_ms() - self._last_arrival_ms
        self._advance(idle_ms=max(0, quiet_ms - IDLE_GRACE_MS))
        step = Step[Token]()
        self._expire(step)
        return step

    def forget(self, token: Token) -> None:
        """Drop all that `token` holds, where its record turned out to be unusable midway."""
        for request in self._requests.values():
            for shown in request.waiting:
                if shown.token == token:
                    self.pending -= len(shown.events)
                    shown.events.clear()
            for item_id in [item for item, held in request.acted.items() if held == token]:
                del request.acted[item_id]
                self.remembered -= 1

    def _expose(self, exposures: list[Event], token: Token, step: Step[Token]) -> None:
        """The path of nearly every event: no call per exposure, locals only."""
        request_id, ts_ms = "", -1
        held = 0
        for event in exposures:
            if event.ts_ms != ts_ms or event.request_id != request_id:
                request_id, ts_ms = event.request_id, event.ts_ms
                request = self._request(request_id)
                shown = self._shown_at(request, token, ts_ms)
                waiting, acted = shown.events, request.acted
                others = [other for other in request.waiting if other is not shown]
                late = ts_ms + self._rules.window_ms < (self._watermark_ms or 0)
            item_id = event.item_id
            if item_id in acted:
                continue
            if item_id in waiting or (others and any(item_id in one.events for one in others)):
                step.duplicates += 1
                continue
            waiting[item_id] = event
            held += 1
            step.late += late
        self.pending += held
        step.held += held

    def _request(self, request_id: str) -> _Request[Token]:
        request = self._requests.get(request_id)
        if request is None:
            request = self._requests[request_id] = _Request(request_id)
        return request

    def _shown_at(self, request: _Request[Token], token: Token, ts_ms: int) -> _Shown[Token]:
        bucket = (ts_ms + self._rules.window_ms) // BUCKET_MS
        for shown in request.waiting:
            if shown.bucket == bucket and shown.token == token:
                return shown
        shown = _Shown(request, token, bucket)
        request.waiting.append(shown)
        self._shown.put(bucket, shown)
        return shown

    def _act(self, event: Event, token: Token, step: Step[Token]) -> None:
        """Settle the exposure if it waits, and remember the positive if it is new."""
        request = self._request(event.request_id)
        for shown in request.waiting:
            if shown.events.pop(event.item_id, None) is not None:
                self.pending -= 1
                step.release(shown.token)
        if event.item_id in request.acted:
            return
        request.acted[event.item_id] = token
        deadline_ms = event.ts_ms + self._rules.window_ms
        self._acted.put(deadline_ms // BUCKET_MS, (request, event.item_id))
        self.remembered += 1
        step.held += 1

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
        for shown in self._shown.take_due(self._watermark_ms):
            self._settle(shown, step)
        for request, item_id in self._acted.take_due(self._watermark_ms):
            self._forget_positive(request, item_id, step)
        most = self._rules.max_pending_exposures
        while self.pending > most:
            step.early += self._settle(self._shown.take_oldest(), step)
        while self.remembered > most:
            step.early += self._forget_positive(*self._acted.take_oldest(), step)

    def _settle(self, shown: _Shown[Token], step: Step[Token]) -> int:
        """What still waits of these exposures is negative; how many that are."""
        shown.request.waiting.remove(shown)
        self._drop_if_empty(shown.request)
        if shown.events:
            self.pending -= len(shown.events)
            step.negatives.setdefault(shown.token, []).extend(_negatives(shown))
        return len(shown.events)

    def _forget_positive(self, request: _Request[Token], item_id: str, step: Step[Token]) -> int:
        """1 if the positive was still remembered, else 0."""
        token = request.acted.pop(item_id, None)
        self._drop_if_empty(request)
        if token is None:
            return 0
        self.remembered -= 1
        step.release(token)
        return 1

    def _drop_if_empty(self, request: _Request[Token]) -> None:
        known = self._requests.get(request.request_id) is request
        if known and not request.waiting and not request.acted:
            del self._requests[request.request_id]


def _negatives(shown: _Shown[Token]) -> list[Sample]:
    identities = sample_ids(shown.request.request_id, shown.events, EXPOSURE)
    return [
        Sample(
            identity,
            EXPOSURE_NEGATIVE,
            EXPOSURE,
            event.user_id,
            event.item_id,
            event.request_id,
            event.ts_ms,
            1.0,
            event.context,
        )
        for identity, event in zip(identities, shown.events.values(), strict=True)
    ]

"""Exposure negatives of one partition of `events`: the join by request, with its clock; pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from schemas.events import EXPOSURE, Event, FeatureValue
from schemas.samples import PassedOver
from schemas.settings import LabellingSettings
from streams.deadlines import BUCKET_MS, Deadlines

Token = TypeVar("Token", bound=Hashable)
"""Whatever stands for the record that an exposure came in."""

_Run = tuple[Event, list[str]]
"""An exposure, and the items of all that are like it."""

IDLE_GRACE_MS = 1_000
"""A partition without records for longer than this is idle: its time moves on by the clock."""


@dataclass(slots=True)
class Step(Generic[Token]):
    """What one call changed. Each hold ends once: released, or as a negative."""

    held: int = 0
    """Exposures that now wait and positives now remembered, of the record just added."""
    released: dict[Token, int] = field(default_factory=dict)
    """By record, exposures settled by a positive and positives forgotten."""
    negatives: dict[Token, list[PassedOver]] = field(default_factory=dict)
    """By record, exposures whose time is up; each item of them was a hold."""
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
    waiting: dict[str, _Shown[Token]] = field(default_factory=dict)
    """Items that wait for a positive, and what they were shown with."""
    acted: dict[str, Token] = field(default_factory=dict)
    """Items with a positive, and the record that each came in."""


@dataclass(slots=True, eq=False)
class _Shown(Generic[Token]):
    """Exposures of one request that came in one record and have all but the item in common.

    Kept together, since an entry for each would take several times as long.
    """

    request: _Request[Token]
    token: Token
    user_id: str
    ts_ms: int
    context: dict[str, FeatureValue]
    item_ids: list[str]
    """Those that still wait name this as theirs in `request.waiting`."""


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

    def add(self, events: Sequence[Event], token: Token) -> Step[Token]:
        """Take the events of one record, which `token` stands for."""
        step = Step[Token]()
        positives, runs = self._sorted(events)
        # Positives first: an exposure that comes too late to wait must find its click if that
        # stands behind it in the same record.
        for event in positives:
            self._act(event, token, step)
        for first, item_ids in runs:
            self._show(first, item_ids, token, step)
        if events:
            self._newest_ms = max(self._newest_ms or 0, max([event.ts_ms for event in events]))
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
            for item_id in [item for item, own in request.waiting.items() if own.token == token]:
                del request.waiting[item_id]
                self.pending -= 1
            for item_id in [item for item, held in request.acted.items() if held == token]:
                del request.acted[item_id]
                self.remembered -= 1

    def _sorted(self, events: Iterable[Event]) -> tuple[list[Event], list[_Run]]:
        """Positives, and exposures in runs of those that have all but the item in common.

        The path of nearly every event: no call and no object for each.
        """
        positives: list[Event] = []
        runs: list[_Run] = []
        request_id, ts_ms, user_id = "", -1, ""
        context: dict[str, FeatureValue] = {}
        item_ids: list[str] = []
        for event in events:
            if event.action != EXPOSURE:
                if event.action in self._rules.positives:
                    positives.append(event)
                continue
            if (
                event.request_id != request_id
                or event.ts_ms != ts_ms
                or event.user_id != user_id
                or event.context != context
            ):
                request_id, ts_ms = event.request_id, event.ts_ms
                user_id, context = event.user_id, event.context
                item_ids = []
                runs.append((event, item_ids))
            item_ids.append(event.item_id)
        return positives, runs

    def _show(self, first: Event, item_ids: list[str], token: Token, step: Step[Token]) -> None:
        """Let these items wait that `first`, and exposures like it, show."""
        request = self._request(first.request_id)
        waiting, acted = request.waiting, request.acted
        if acted:
            item_ids = [item_id for item_id in item_ids if item_id not in acted]
        shown = _Shown(request, token, first.user_id, first.ts_ms, first.context, item_ids)
        fresh = dict.fromkeys(item_ids, shown)
        if not waiting:
            request.waiting = fresh
        else:
            fresh = {item_id: shown for item_id in fresh if item_id not in waiting}
            waiting.update(fresh)
        if len(fresh) < len(item_ids):
            step.duplicates += len(item_ids) - len(fresh)
            shown.item_ids = [*fresh]
        if not fresh:
            return  # nothing of it would ever be due
        self.pending += len(fresh)
        step.held += len(fresh)
        deadline_ms = first.ts_ms + self._rules.window_ms
        if deadline_ms < (self._watermark_ms or 0):
            step.late += len(fresh)
        self._shown.put(deadline_ms // BUCKET_MS, shown)

    def _request(self, request_id: str) -> _Request[Token]:
        request = self._requests.get(request_id)
        if request is None:
            request = self._requests[request_id] = _Request(request_id)
        return request

    def _act(self, event: Event, token: Token, step: Step[Token]) -> None:
        """Settle the exposure if it waits, and remember the positive if it is new."""
        request = self._request(event.request_id)
        shown = request.waiting.pop(event.item_id, None)
        if shown is not None:
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
        waiting = shown.request.waiting
        passed = [item_id for item_id in shown.item_ids if waiting.get(item_id) is shown]
        for item_id in passed:
            del waiting[item_id]
        self._drop_if_empty(shown.request)
        if passed:
            self.pending -= len(passed)
            step.negatives.setdefault(shown.token, []).append(
                PassedOver(
                    shown.user_id, shown.request.request_id, shown.ts_ms, passed, shown.context
                )
            )
        return len(passed)

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

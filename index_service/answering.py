"""Calls to replies, several at a time: one look-up of users and one search for all of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from index_service.calls import Call, Caller
from index_service.figures import NodeFigures
from index_service.gathering import Gatherer
from index_service.query import Query
from index_service.recall_core import Found, Plan, RecallCore, refusal
from index_service.reply_sender import ReplySender
from schemas.codec import encode
from schemas.recall import ErrorDetail, RecallReply
from schemas.vectors import Float32Array

_URGENT_MS = 200
"""A call with less time left is answered apart from others that have more."""
_SHOWN_CHARS = 80

_log = logging.getLogger(__name__)


class _Planned(NamedTuple):
    call: Call
    plan: Plan


class Answering:
    """Plans, searches and replies. A call whose time is over is dropped, and counted."""

    def __init__(
        self,
        core: RecallCore,
        gatherer: Gatherer,
        replies: ReplySender,
        figures: NodeFigures,
        now_ms: Callable[[], int],
    ) -> None:
        self._core = core
        self._gatherer = gatherer
        self._replies = replies
        self._figures = figures
        self._now_ms = now_ms

    @property
    def at_once(self) -> bool:
        """All shards are here: `answer_here` will do."""
        return self._gatherer.all_here

    def answer_here(self, callers: Sequence[Caller], user_ms: float) -> None:
        """Answer from this node's shards, without waiting for anyone."""
        started_s = time.perf_counter()
        callers = self._in_time(callers)
        vectors = self._gatherer.vectors_here(_items_of(callers))
        planned = self._planned(callers, vectors)
        found = self._searched([each.plan.query for each in planned])
        self._reply_all(planned, found, user_ms, started_s)

    async def answer_with_others(self, callers: Sequence[Caller], user_ms: float) -> None:
        """Ask the nodes that hold the other shards; partial where they don't answer in time."""
        callers, soon_ms = self._in_time(callers), self._now_ms() + _URGENT_MS
        # Calls that go together share the first one's deadline: the urgent make none else partial.
        urgent = [one for one in callers if one.call.deadline_ms < soon_ms]
        others = [one for one in callers if one.call.deadline_ms >= soon_ms]
        groups = [group for group in (urgent, others) if group]
        await asyncio.gather(*(self._answer_group(group, user_ms) for group in groups))

    async def _answer_group(self, callers: Sequence[Caller], user_ms: float) -> None:
        started_s = time.perf_counter()
        deadline_ms = min(one.call.deadline_ms for one in callers)
        vectors = await self._gatherer.vectors_of(_items_of(callers), deadline_ms)
        planned = self._planned(callers, vectors)
        queries = [each.plan.query for each in planned]
        found: Sequence[Found | Exception]
        try:
            found = await self._gatherer.search(queries, deadline_ms)
        except Exception as error:  # a bug; see `_searched`
            _log.exception("event=recall_failed")
            found = [error] * len(queries)
        self._reply_all(planned, found, user_ms, started_s)

    def refuse(self, call: Call, detail: ErrorDetail, reason: str = "") -> None:
        """Reply at once with an error; the reason is the rule where none is given."""
        reply = refusal(detail)
        self._send(call, msgspec.structs.replace(reply, reason=reason or reply.reason), {})

    def _in_time(self, callers: Sequence[Caller]) -> list[Caller]:
        """Those whose time is not over."""
        now_ms = self._now_ms()
        live = [one for one in callers if now_ms <= one.call.deadline_ms]
        self._figures.counts["dropped_late"] += len(callers) - len(live)
        return live

    def _planned(
        self, callers: Sequence[Caller], vectors: Mapping[str, Float32Array]
    ) -> list[_Planned]:
        """Calls that can be searched for; the others have their reply."""
        planned = []
        for call, user in callers:
            request = call.request
            if isinstance(request, ErrorDetail):
                self.refuse(call, request)
                continue
            fields = self._gatherer.known_fields() if request.filter else None
            try:
                plan = self._core.plan(request, user, vectors, fields)
            except Exception as error:  # see `_searched`
                _log.exception("event=recall_failed correlation_id=%s", call.address.shown_id)
                plan = _failed(error)
            if isinstance(plan, RecallReply):
                self._send(call, plan, {})
            else:
                planned.append(_Planned(call, plan))
        return planned

    def _searched(self, queries: Sequence[Query]) -> list[Found | Exception]:
        """All at once; one by one where that fails, so that a bad one fails alone."""
        try:
            return [*self._gatherer.search_here(queries)]
        except Exception as error:
            # A bug, but no reason to end a node: the same request would end the next one as well.
            if len(queries) == 1:
                _log.exception("event=recall_failed")
                return [error]
            return [self._searched([query])[0] for query in queries]

    def _reply_all(
        self,
        planned: Sequence[_Planned],
        found: Sequence[Found | Exception],
        user_ms: float,
        started_s: float,
    ) -> None:
        search_ms, now_ms = 1e3 * (time.perf_counter() - started_s), self._now_ms()
        for (call, plan), given in zip(planned, found, strict=True):
            if isinstance(given, Exception):
                reply = _failed(given)
            else:
                reply = self._core.reply(plan.reason, given)
            queued_ms = max(0.0, now_ms - call.sent_ms - search_ms - user_ms)
            self._send(call, reply, {"queued": queued_ms, "user": user_ms, "search": search_ms})

    def _send(self, call: Call, reply: RecallReply, stages_ms: dict[str, float]) -> None:
        if reply.error is not None:
            self._log_refusal(call, reply.error)
        reply = msgspec.structs.replace(reply, stages_ms=stages_ms)
        self._replies.send(call.address, encode(reply, call.form), call.form)
        self._figures.answered(reply)

    def _log_refusal(self, call: Call, broken: ErrorDetail) -> None:
        text = "event=request_refused correlation_id=%s reply_topic=%s rule=%r value=%r"
        value = broken.value[:_SHOWN_CHARS]
        _log.warning(text, call.address.shown_id, call.address.topic, broken.rule, value)


def _items_of(callers: Sequence[Caller]) -> list[str]:
    """Items that are asked about, each once."""
    requests = [one.call.asked for one in callers]
    return list(dict.fromkeys(item for each in requests if each for item in each.item_ids or ()))


def _failed(error: Exception) -> RecallReply:
    detail = ErrorDetail("the node must not fail", repr(error), "see the index node's log")
    return refusal(detail)

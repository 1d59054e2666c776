"""A client's calls that wait for their replies."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from index_service.request_lanes import RequestLanes
from index_service.request_records import RequestRecord, again_after_s
from schemas.codec import Decoder, Headers, content_type
from schemas.errors import (
    DecodeError,
    PenstockError,
    RecallError,
    RecallOverloaded,
    RecallRefused,
    RecallTimeout,
)
from schemas.recall import CORRELATION_ID, OVERLOADED, RecallReply

_decoder: Decoder[RecallReply] = Decoder(RecallReply)


@dataclass
class _Pending:
    future: Future[RecallReply]
    record: RequestRecord
    sent_s: float
    timeout_s: float
    again_s: float
    lanes: list[int]


class Retry(NamedTuple):
    """A request to be sent once more, to another partition."""

    record: RequestRecord
    lane: int


class PendingCalls:
    """Futures by correlation id; each is settled once, from any thread."""

    def __init__(self, partitions: Collection[int]) -> None:
        """`partitions` of the requests' topic."""
        self._lock = threading.Lock()
        self._by_id: dict[bytes, _Pending] = {}
        self._lanes = RequestLanes(partitions)
        self._closed = False
        self.retries = 0
        """Requests sent once more."""

    def __len__(self) -> int:
        return len(self._by_id)

    def add(
        self, record: RequestRecord, now_s: float, timeout_s: float
    ) -> tuple[Future[RecallReply], int]:
        """The future of a new call, and the partition to send it to.

        Raises RecallError once closed.
        """
        future: Future[RecallReply] = Future()
        with self._lock:
            if self._closed:
                msg = "a client that is closed can't recall; make a new one"
                raise RecallError(msg)
            lane = self._lanes.choose(now_s)
            again_s = now_s + again_after_s(timeout_s)
            pending = _Pending(future, record, now_s, timeout_s, again_s, [lane])
            self._by_id[record.correlation_id] = pending
        return future, lane

    def take(self, headers: Headers, value: bytes | None, now_s: float) -> None:
        """Settle the call that this reply belongs to; replies to others are passed over."""
        correlation_id = dict(headers).get(CORRELATION_ID) or b""
        with self._lock:
            pending = self._by_id.pop(correlation_id, None)
            if pending is None:
                return
            self._lanes.answered(pending.lanes[-1], now_s)
        try:
            reply = _decoder.decode(value or b"", content_type(headers))
        except DecodeError as error:
            _settle(pending.future, error)
            return
        _settle(pending.future, _refused(reply) if reply.status == "error" else reply)

    def fail(self, correlation_id: bytes, error: PenstockError) -> None:
        """Settle a call with an error, unless it is settled."""
        with self._lock:
            pending = self._by_id.pop(correlation_id, None)
        if pending is not None:
            _settle(pending.future, error)

    def tend(self, now_s: float) -> list[Retry]:
        """Settle the calls whose time is over; those that are to be sent once more.

        That are those of a partition which has been silent as long: its node may be dead. One that
        answers others is only slow, and would be so the more for being asked twice.
        """
        with self._lock:
            late = [
                each
                for each, pending in self._by_id.items()
                if pending.sent_s + pending.timeout_s <= now_s
            ]
            overdue = [self._by_id.pop(correlation_id) for correlation_id in late]
            retries = [
                retry
                for pending in self._by_id.values()
                if pending.again_s <= now_s and (retry := self._again(pending, now_s))
            ]
        for pending in overdue:
            _settle(pending.future, timed_out(pending.timeout_s))
        return retries

    def _again(self, pending: _Pending, now_s: float) -> Retry | None:
        patience_s = again_after_s(pending.timeout_s)
        pending.again_s = now_s + patience_s
        lane = pending.lanes[-1]
        if now_s - self._lanes.last_answer_s(lane) < patience_s:
            return None
        self._lanes.silent(lane, now_s)
        other = self._lanes.choose(now_s, but_not=pending.lanes)
        if other in pending.lanes:
            return None
        pending.lanes.append(other)
        self.retries += 1
        return Retry(pending.record, other)

    def close(self) -> None:
        """Fail what is pending, and take no more."""
        with self._lock:
            self._closed = True
            pending, self._by_id = self._by_id, {}
        for each in pending.values():
            _settle(each.future, RecallError("the client was closed before the reply came"))


def timed_out(timeout_s: float) -> RecallTimeout:
    """No reply came in time."""
    return RecallTimeout(
        f"a reply must come within {timeout_s:g} s; none did; "
        "see whether an index node is ready, or give it more time"
    )


def _refused(reply: RecallReply) -> RecallRefused | RecallOverloaded:
    kind = RecallOverloaded if reply.reason == OVERLOADED else RecallRefused
    if reply.error is None:
        return kind(reply.reason or "the request was refused")
    return kind(f"{reply.error.rule}; {reply.error.value}; {reply.error.advice}")


def _settle(future: Future[RecallReply], outcome: RecallReply | PenstockError) -> None:
    if not future.set_running_or_notify_cancel():
        return  # the caller cancelled it
    if isinstance(outcome, RecallReply):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)

"""A client's calls that wait for their replies."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import NamedTuple

from schemas.codec import Decoder, Headers, content_type
from schemas.errors import DecodeError, PenstockError, RecallError, RecallRefused, RecallTimeout
from schemas.recall import CORRELATION_ID, RecallReply

_decoder: Decoder[RecallReply] = Decoder(RecallReply)


class _Pending(NamedTuple):
    future: Future[RecallReply]
    expires_s: float
    timeout_s: float


class PendingCalls:
    """Futures by correlation id; each is settled once, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[bytes, _Pending] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, correlation_id: bytes, now_s: float, timeout_s: float) -> Future[RecallReply]:
        """The future of a new call. Raises RecallError once closed."""
        future: Future[RecallReply] = Future()
        with self._lock:
            if self._closed:
                msg = "a client that is closed can't recall; make a new one"
                raise RecallError(msg)
            self._by_id[correlation_id] = _Pending(future, now_s + timeout_s, timeout_s)
        return future

    def take(self, headers: Headers, value: bytes | None) -> None:
        """Settle the call that this reply belongs to; replies to others are passed over."""
        pending = self._pop(dict(headers).get(CORRELATION_ID) or b"")
        if pending is None:
            return
        try:
            reply = _decoder.decode(value or b"", content_type(headers))
        except DecodeError as error:
            _settle(pending.future, error)
            return
        _settle(pending.future, _refused(reply) if reply.status == "error" else reply)

    def fail(self, correlation_id: bytes, error: PenstockError) -> None:
        """Settle a call with an error, unless it is settled."""
        pending = self._pop(correlation_id)
        if pending is not None:
            _settle(pending.future, error)

    def expire(self, now_s: float) -> None:
        """Settle the calls whose time is over."""
        with self._lock:
            late = [each for each, pending in self._by_id.items() if pending.expires_s <= now_s]
            overdue = [self._by_id.pop(correlation_id) for correlation_id in late]
        for pending in overdue:
            _settle(pending.future, timed_out(pending.timeout_s))

    def close(self) -> None:
        """Fail what is pending, and take no more."""
        with self._lock:
            self._closed = True
            pending, self._by_id = self._by_id, {}
        for each in pending.values():
            _settle(each.future, RecallError("the client was closed before the reply came"))

    def _pop(self, correlation_id: bytes) -> _Pending | None:
        with self._lock:
            return self._by_id.pop(correlation_id, None)


def timed_out(timeout_s: float) -> RecallTimeout:
    """No reply came in time."""
    return RecallTimeout(
        f"a reply must come within {timeout_s:g} s; none did; "
        "see whether an index node is ready, or give it more time"
    )


def _refused(reply: RecallReply) -> RecallRefused:
    if reply.error is None:
        return RecallRefused(reply.reason or "the request was refused")
    return RecallRefused(f"{reply.error.rule}; {reply.error.value}; {reply.error.advice}")


def _settle(future: Future[RecallReply], outcome: RecallReply | PenstockError) -> None:
    if not future.set_running_or_notify_cancel():
        return  # the caller cancelled it
    if isinstance(outcome, RecallReply):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)

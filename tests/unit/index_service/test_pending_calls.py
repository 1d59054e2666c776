"""A client's calls and their ends."""

from __future__ import annotations

import pytest

from index_service.pending_calls import PendingCalls
from schemas.codec import JSON, encode
from schemas.errors import BrokerUnavailable, DecodeError, RecallError, RecallRefused, RecallTimeout
from schemas.recall import CORRELATION_ID, ErrorDetail, RecalledItem, RecallReply

REPLY = RecallReply("ok", [RecalledItem("a", 1.5, "nearest")], step=4)


def headers(correlation_id: bytes) -> list[tuple[str, bytes | None]]:
    return [(CORRELATION_ID, correlation_id)]


def test_each_call_gets_its_own_reply() -> None:
    calls = PendingCalls()
    one, two = calls.add(b"1", 0.0, 5.0), calls.add(b"2", 0.0, 5.0)
    calls.take(headers(b"other"), encode(REPLY))
    calls.take([], encode(REPLY))
    assert not one.done()
    json_headers = [*headers(b"2"), ("content-type", b"application/json")]
    calls.take(json_headers, encode(REPLY, JSON))
    assert two.result(0) == REPLY
    assert (one.done(), len(calls)) == (False, 1)
    calls.take(headers(b"2"), encode(REPLY))  # a second reply is nobody's
    calls.take(headers(b"1"), encode(REPLY))
    assert (one.result(0), len(calls)) == (REPLY, 0)


def test_a_refusal_names_rule_value_and_advice() -> None:
    calls = PendingCalls()
    future = calls.add(b"1", 0.0, 5.0)
    refused = RecallReply("error", error=ErrorDetail("k must be small", "9", "ask for less"))
    calls.take(headers(b"1"), encode(refused))
    with pytest.raises(RecallRefused, match="k must be small; 9; ask for less"):
        future.result(0)


def test_bytes_that_are_no_reply_are_an_error() -> None:
    calls = PendingCalls()
    future = calls.add(b"1", 0.0, 5.0)
    calls.take(headers(b"1"), b"junk")
    with pytest.raises(DecodeError):
        future.result(0)


def test_a_call_ends_at_its_time_not_before() -> None:
    calls = PendingCalls()
    early, late = calls.add(b"1", 10.0, 1.0), calls.add(b"2", 10.0, 2.0)
    calls.expire(10.999)
    assert not early.done()
    calls.expire(11.0)
    with pytest.raises(RecallTimeout, match="within 1 s"):
        early.result(0)
    assert not late.done()


def test_a_failure_and_a_close_settle_once() -> None:
    calls = PendingCalls()
    failed, open_, cancelled = (calls.add(each, 0.0, 5.0) for each in (b"1", b"2", b"3"))
    assert cancelled.cancel()
    calls.fail(b"1", BrokerUnavailable("gone"))
    calls.fail(b"1", BrokerUnavailable("again"))
    calls.close()
    with pytest.raises(BrokerUnavailable, match="gone"):
        failed.result(0)
    with pytest.raises(RecallError, match="closed"):
        open_.result(0)
    assert cancelled.cancelled()
    with pytest.raises(RecallError, match="closed"):
        calls.add(b"4", 0.0, 5.0)

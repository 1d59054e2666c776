"""A client's calls and their ends."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from index_service.pending_calls import PendingCalls, Retry
from index_service.request_records import RequestRecord
from schemas.codec import JSON, encode
from schemas.errors import (
    BrokerUnavailable,
    DecodeError,
    RecallError,
    RecallOverloaded,
    RecallRefused,
    RecallTimeout,
)
from schemas.recall import CORRELATION_ID, OVERLOADED, ErrorDetail, RecalledItem, RecallReply

REPLY = RecallReply("ok", [RecalledItem("a", 1.5, "nearest")], step=4)


def headers(correlation_id: bytes) -> list[tuple[str, bytes | None]]:
    return [(CORRELATION_ID, correlation_id)]


def add(
    calls: PendingCalls, correlation_id: bytes, now_s: float, timeout_s: float
) -> Future[RecallReply]:
    return calls.add(RequestRecord(correlation_id, b"", []), now_s, timeout_s)[0]


def test_each_call_gets_its_own_reply() -> None:
    calls = PendingCalls([0, 1])
    one, two = add(calls, b"1", 0.0, 5.0), add(calls, b"2", 0.0, 5.0)
    calls.take(headers(b"other"), encode(REPLY), 0.0)
    calls.take([], encode(REPLY), 0.0)
    assert not one.done()
    json_headers = [*headers(b"2"), ("content-type", b"application/json")]
    calls.take(json_headers, encode(REPLY, JSON), 0.0)
    assert two.result(0) == REPLY
    assert (one.done(), len(calls)) == (False, 1)
    calls.take(headers(b"2"), encode(REPLY), 0.0)  # a second reply is nobody's
    calls.take(headers(b"1"), encode(REPLY), 0.0)
    assert (one.result(0), len(calls)) == (REPLY, 0)


def test_a_refusal_names_rule_value_and_advice() -> None:
    calls = PendingCalls([0, 1])
    future = add(calls, b"1", 0.0, 5.0)
    refused = RecallReply("error", error=ErrorDetail("k must be small", "9", "ask for less"))
    calls.take(headers(b"1"), encode(refused), 0.0)
    with pytest.raises(RecallRefused, match="k must be small; 9; ask for less"):
        future.result(0)


def test_an_overloaded_node_may_be_asked_again() -> None:
    calls = PendingCalls([0, 1])
    future = add(calls, b"1", 0.0, 5.0)
    full = RecallReply("error", reason=OVERLOADED, error=ErrorDetail("at most 9", "9", "wait"))
    calls.take(headers(b"1"), encode(full), 0.0)
    with pytest.raises(RecallOverloaded, match="at most 9; 9; wait") as raised:
        future.result(0)
    assert raised.value.retriable


def test_a_call_goes_to_another_partition_when_the_first_stays_silent() -> None:
    calls = PendingCalls([0, 1])
    record = RequestRecord(b"1", b"request", [])
    future, lane = calls.add(record, 10.0, 1.0)
    assert calls.tend(10.19) == []
    assert calls.tend(10.2) == [Retry(record, 1 - lane)]
    for number in range(4):
        others = RequestRecord(f"other-{number}".encode(), b"", [])
        assert calls.add(others, 10.3, 9.0)[1] == 1 - lane
    assert calls.tend(10.45) == []  # both were tried
    calls.take(headers(b"1"), encode(REPLY), 10.95)
    assert future.result(0) == REPLY
    assert calls.retries == 1


def test_a_partition_that_answers_others_is_only_slow() -> None:
    calls = PendingCalls([0, 1])
    lanes: dict[int, list[bytes]] = {0: [], 1: []}
    for number in range(4):
        correlation_id = str(number).encode()
        lanes[calls.add(RequestRecord(correlation_id, b"", []), 10.0, 1.0)[1]].append(
            correlation_id
        )
    calls.take(headers(lanes[0][0]), encode(REPLY), 10.2)
    again = calls.tend(10.3)
    assert [each.record.correlation_id for each in again] == lanes[1]
    assert {each.lane for each in again} == {0}
    # It died after that answer: what it had taken goes elsewhere when it has been silent as long.
    assert {each.record.correlation_id for each in calls.tend(10.501)} == {lanes[0][1]}


def test_bytes_that_are_no_reply_are_an_error() -> None:
    calls = PendingCalls([0, 1])
    future = add(calls, b"1", 0.0, 5.0)
    calls.take(headers(b"1"), b"junk", 0.0)
    with pytest.raises(DecodeError):
        future.result(0)


def test_a_call_ends_at_its_time_not_before() -> None:
    calls = PendingCalls([0, 1])
    early, late = add(calls, b"1", 10.0, 1.0), add(calls, b"2", 10.0, 2.0)
    calls.tend(10.999)
    assert not early.done()
    calls.tend(11.0)
    with pytest.raises(RecallTimeout, match="within 1 s"):
        early.result(0)
    assert not late.done()


def test_a_failure_and_a_close_settle_once() -> None:
    calls = PendingCalls([0, 1])
    failed, open_, cancelled = (add(calls, each, 0.0, 5.0) for each in (b"1", b"2", b"3"))
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
        add(calls, b"4", 0.0, 5.0)

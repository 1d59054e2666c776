"""Records of `recall.requests` as calls."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from index_service.calls import Call, read_call
from schemas.codec import JSON, MSGPACK, encode
from schemas.recall import (
    CORRELATION_ID,
    DEADLINE_MS,
    REPLY_TOPIC,
    ErrorDetail,
    Range,
    RecallRequest,
)

ADDRESSED: list[tuple[str, bytes | None]] = [(CORRELATION_ID, b"1"), (REPLY_TOPIC, b"callers")]
REQUEST = RecallRequest(user_id="u", k=3, filter={"price": Range(gte=2), "city": ["a", "b"]})


def test_reads_messagepack_and_json() -> None:
    for form in (MSGPACK, JSON):
        headers = [*ADDRESSED, ("contentType", f'"{form}"'.encode())]
        call = read_call(encode(REQUEST, form), headers, 1_000, "penstock", 50)
        assert isinstance(call, Call)
        assert (call.request, call.form, call.sent_ms) == (REQUEST, form, 1_000)
        assert (call.deadline_ms, call.asked) == (1_050, REQUEST)


def test_the_callers_deadline_counts() -> None:
    call = read_call(encode(REQUEST), [*ADDRESSED, (DEADLINE_MS, b"77")], 1_000, "penstock", 50)
    assert isinstance(call, Call)
    assert call.deadline_ms == 77


def test_what_cannot_be_read_becomes_an_error_for_the_caller() -> None:
    for value in (None, b"", b"\xc1", b"\x80junk", encode({"user_id": 5}), encode({"k": "many"})):
        call = read_call(value, ADDRESSED, 1_000, "penstock", 50)
        assert isinstance(call, Call)
        assert isinstance(call.request, ErrorDetail)
        assert call.asked is None
    call = read_call(encode(REQUEST), [*ADDRESSED, (DEADLINE_MS, b"soon")], 1_000, "penstock", 50)
    assert isinstance(call, Call)
    assert isinstance(call.request, ErrorDetail)
    assert "deadline-ms" in call.request.rule


def test_nobody_to_answer_is_a_skip() -> None:
    assert read_call(encode(REQUEST), [], 0, "penstock", 50) == "no_correlation_id"


@settings(deadline=None, derandomize=True)
@given(st.none() | st.binary(max_size=200), st.booleans())
def test_hostile_values_raise_nothing(value: bytes | None, as_json: bool) -> None:
    headers = [*ADDRESSED, ("content-type", b"application/json")] if as_json else ADDRESSED
    assert isinstance(read_call(value, headers, 0, "penstock", 50), Call)


def test_deep_nesting_raises_nothing() -> None:
    headers = [*ADDRESSED, ("content-type", b"application/json")]
    call = read_call(b'{"x":' * 100_000, headers, 0, "penstock", 50)
    assert isinstance(call, Call)
    assert isinstance(call.request, ErrorDetail)
    assert msgspec.to_builtins(call.request)["rule"]

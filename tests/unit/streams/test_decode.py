"""Every record becomes events or refusals with a reason, never an exception."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import Event
from schemas.settings import LabellingSettings
from streams.decode import EventDecoder

NOW_MS = 1_700_000_000_000
RULES = LabellingSettings(max_record_bytes=100_000)
GOOD = {"action": "click", "user_id": "u", "item_id": "i", "request_id": "r", "ts_ms": NOW_MS}
EVENT = Event(action="click", user_id="u", item_id="i", request_id="r", ts_ms=NOW_MS)
JSON_HEADER = [("content-type", b"application/json")]

decoder = EventDecoder(RULES)


@pytest.mark.parametrize("form", ["one", "array"])
@pytest.mark.parametrize("codec", ["msgpack", "json", "spring"])
def test_good_records(form: str, codec: str) -> None:
    value = GOOD if form == "one" else [GOOD, GOOD]
    headers = {
        "msgpack": None,
        "json": JSON_HEADER,
        "spring": [("contentType", b'"application/json"')],
    }
    data = msgpack.packb(value) if codec == "msgpack" else json.dumps(value).encode()
    decoded = decoder.decode(data, headers[codec], NOW_MS)
    assert decoded.refusals == []
    assert decoded.events == ([EVENT] if form == "one" else [EVENT, EVENT])


@pytest.mark.parametrize(
    ("reason", "value"),
    [
        ("empty", None),
        ("empty", b""),
        ("oversized", b"x" * 100_001),
        ("undecodable", b"garbage"),
        ("undecodable", b"\xc1"),
        ("undecodable", msgpack.packb(3)),
        ("missing_field", msgpack.packb({k: v for k, v in GOOD.items() if k != "item_id"})),
        ("invalid_field", msgpack.packb({**GOOD, "ts_ms": "soon"})),
        ("invalid_field", msgpack.packb({**GOOD, "user_id": ""})),
        ("invalid_field", msgpack.packb({**GOOD, "user_id": "u" * 257})),
        ("invalid_field", msgpack.packb({**GOOD, "ts_ms": -1})),
        ("unknown_action", msgpack.packb({**GOOD, "action": "stare"})),
        ("from_the_future", msgpack.packb({**GOOD, "ts_ms": NOW_MS + 3_600_000})),
    ],
)
def test_bad_records(reason: str, value: bytes | None) -> None:
    decoded = decoder.decode(value, None, NOW_MS)
    assert decoded.events == []
    assert [refusal.reason for refusal in decoded.refusals] == [reason]
    assert decoded.refusals[0].value == (value or b"")
    assert "; " in decoded.refusals[0].detail


def test_the_allowed_skew_is_inclusive() -> None:
    edge = {**GOOD, "ts_ms": NOW_MS + RULES.max_skew_ms}
    assert len(decoder.decode(msgpack.packb(edge), None, NOW_MS).events) == 1
    over = {**GOOD, "ts_ms": NOW_MS + RULES.max_skew_ms + 1}
    assert decoder.decode(msgpack.packb(over), None, NOW_MS).events == []


def test_a_bad_event_takes_no_other_with_it() -> None:
    bad = [{**GOOD, "action": "stare"}, {"action": "click"}, 7]
    decoded = decoder.decode(msgpack.packb([GOOD, *bad, GOOD]), None, NOW_MS)
    assert decoded.events == [EVENT, EVENT]
    assert [refusal.reason for refusal in decoded.refusals] == [
        "unknown_action",
        "missing_field",
        "invalid_field",
    ]
    assert [msgpack.unpackb(refusal.value) for refusal in decoded.refusals] == bad


@pytest.mark.parametrize("field", ['"position": {}', '"context": {{"a": {}}}'])
@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**400])
def test_an_integer_that_no_label_could_carry_is_refused_alone(field: str, number: int) -> None:
    """JSON can hold it, MessagePack can't: encoding the label would fail."""
    good = json.dumps(GOOD)
    bad = good[:-1] + ", " + field.format(number) + "}"
    decoded = decoder.decode(f"[{good}, {bad}]".encode(), JSON_HEADER, NOW_MS)
    assert decoded.events == [EVENT]
    assert [refusal.reason for refusal in decoded.refusals] == ["invalid_field"]
    alone = decoder.decode(bad.encode(), JSON_HEADER, NOW_MS)
    assert [refusal.reason for refusal in alone.refusals] == ["invalid_field"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b'{"action": "cli', "truncated"),
        (b'[{"action": "click"}', "truncated"),
        (b'{"action": "\\ud800\\u0041"}', "surrogate"),
        (b"7", "got `int`"),
    ],
)
def test_unreadable_bytes_are_named_by_their_own_fault(value: bytes, said: str) -> None:
    (refusal,) = decoder.decode(value, JSON_HEADER, NOW_MS).refusals
    assert refusal.reason == "undecodable"
    assert said in refusal.detail


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=1, max_size=20), st.integers(0, 200))
def test_damaged_records_give_events_or_refusals(noise: bytes, at: int) -> None:
    good = encode([EVENT, EVENT])
    damaged = good[: at % len(good)] + noise + good[at % len(good) + len(noise) :]
    decoded = decoder.decode(damaged, None, NOW_MS)
    assert decoded.events or decoded.refusals


def test_nesting_without_end_is_refused() -> None:
    for data, headers in ((b"[" * 90_000, JSON_HEADER), (b"\x91" * 90_000, None)):
        refusals = decoder.decode(data, headers, NOW_MS).refusals
        assert [refusal.reason for refusal in refusals] in (["undecodable"], ["invalid_field"])

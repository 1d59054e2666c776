"""What is shown of a refused record."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.dashboard.letters import view_of
from ops.dashboard.redact import MAX_CHARS, shown_text, shown_value
from schemas.dead_letters import DeadLetter

SECRET = "hunter2"


@pytest.mark.parametrize(
    "message",
    [
        {"password": SECRET},
        {"context": {"api_key": SECRET, "city": "Oslo"}},
        [{"user": "u", "AccessToken": SECRET}],
        {"deep": [{"Authorization": f"Bearer {SECRET}"}]},
        {"note": f"password={SECRET}"},
        {"url": f"redis://app:{SECRET}@cache:6379"},
    ],
)
def test_secrets_never(message: object) -> None:
    packed, plain = msgpack.packb(message), json.dumps(message).encode()
    for data in (packed, plain, packed[:-1], plain[:-1], b"\xff" + plain, b"\x00" + packed):
        assert SECRET not in shown_value(data), data
    assert SECRET not in shown_text(f"got {plain.decode()}")


def test_what_is_no_secret_is_shown() -> None:
    event = {"action": "hover", "user_id": "u", "context": {"city": "<b>Oslo</b>"}}
    for data in (msgpack.packb(event), json.dumps(event).encode()):
        assert json.loads(shown_value(data)) == event
    assert shown_value(b"plain text") == "plain text"


@given(st.binary(max_size=2_000))
def test_any_bytes_are_shown_short_and_printable(data: bytes) -> None:
    shown = shown_value(data)
    assert len(shown) <= MAX_CHARS + 1
    assert shown.isprintable()


def test_a_deep_value_is_cut() -> None:
    value: object = 1
    for _ in range(500):
        value = [value]
    assert len(shown_value(msgpack.packb(value))) <= MAX_CHARS + 1


def test_headers_are_named_and_their_values_left_out() -> None:
    letter = DeadLetter(
        reason="unknown_action",
        detail=f"got token={SECRET}",
        role="label-positives",
        topic="n.events",
        partition=1,
        offset=2,
        ts_ms=3,
        value=json.dumps({"password": SECRET}).encode(),
        value_bytes=20,
        headers=[("authorization", SECRET.encode())],
    )
    view = view_of(letter)
    assert view.header_names == ["authorization"]
    assert SECRET not in repr(view)

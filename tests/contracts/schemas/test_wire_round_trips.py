"""Every wire type, through the `msgpack` package and JSON and back.

`msgpack` and `json` stand for clients of other languages: neither knows msgspec.
"""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect as info

from schemas.codec import JSON, MSGPACK, Decoder, content_type, encode
from schemas.dead_letters import DeadLetter
from schemas.errors import DecodeError
from schemas.events import Event, Item
from schemas.recall import RecallReply, RecallRequest
from schemas.samples import SampleBatch
from schemas.shards import NodeState, ShardAnswer, ShardCall
from schemas.status import RoleStatus
from schemas.vectors import ItemVector, UserRecord

WIRE_TYPES: list[Any] = [
    DeadLetter,
    Event,
    Event | list[Event],
    Item,
    ItemVector,
    NodeState,
    RecallReply,
    RecallRequest,
    RoleStatus,
    SampleBatch,
    ShardAnswer,
    ShardCall,
    UserRecord,
]


def _strategy(part: info.Type) -> st.SearchStrategy[Any]:
    """Any value of a type, within its constraints."""
    match part:
        case info.StructType():
            fields = {field.name: _strategy(field.type) for field in part.fields}
            return st.builds(part.cls, **fields)
        case info.UnionType():
            return st.one_of([_strategy(inner) for inner in part.types])
        case info.ListType():
            return st.lists(_strategy(part.item_type), max_size=3)
        case info.TupleType():
            return st.tuples(*[_strategy(inner) for inner in part.item_types])
        case info.DictType():
            return st.dictionaries(_strategy(part.key_type), _strategy(part.value_type), max_size=3)
        case info.LiteralType():
            return st.sampled_from(part.values)
        case info.StrType():
            return st.text(min_size=part.min_length or 0, max_size=min(part.max_length or 9, 9))
        case info.IntType():
            low = -(2**63) if part.ge is None else part.ge
            return st.integers(low, 2**64 - 1 if part.le is None else part.le)
        case info.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case info.BytesType():
            return st.binary(max_size=9)
        case info.BoolType():
            return st.booleans()
        case info.NoneType():
            return st.none()
    raise NotImplementedError(part)


def _full(value: Any) -> Any:
    """What a client would write by hand: every field, defaults too."""
    match value:
        case msgspec.Struct():
            return {name: _full(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {key: _full(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_full(inner) for inner in value]
    return value


def _text_bytes(value: Any) -> Any:
    """The same with bytes as base64, for JSON."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {key: _text_bytes(inner) for key, inner in value.items()}
        case list():
            return [_text_bytes(inner) for inner in value]
    return value


def _is_part_of(written: Any, full: Any) -> bool:
    """Whether all that was written is in the full message: only defaults may be left out."""
    match written, full:
        case dict(), dict():
            return all(key in full and _is_part_of(written[key], full[key]) for key in written)
        case list(), list():
            return len(written) == len(full) and all(map(_is_part_of, written, full))
    return type(written) is type(full) and bool(written == full)


def _name(wire_type: Any) -> str:
    return getattr(wire_type, "__name__", str(wire_type))


@pytest.mark.parametrize("wire_type", WIRE_TYPES, ids=_name)
@given(data=st.data())
def test_msgpack_clients_are_read(wire_type: Any, data: st.DataObject) -> None:
    message = data.draw(_strategy(info.type_info(wire_type)))
    packed = msgpack.packb(_full(message))
    assert Decoder[Any](wire_type).decode(packed) == message


@pytest.mark.parametrize("wire_type", WIRE_TYPES, ids=_name)
@given(data=st.data())
def test_msgpack_clients_can_read(wire_type: Any, data: st.DataObject) -> None:
    message = data.draw(_strategy(info.type_info(wire_type)))
    unpacked = msgpack.unpackb(encode(message))
    assert _is_part_of(unpacked, _full(message))
    assert Decoder[Any](wire_type).decode(msgpack.packb(unpacked)) == message


@pytest.mark.parametrize("wire_type", WIRE_TYPES, ids=_name)
@given(data=st.data())
def test_json_both_ways(wire_type: Any, data: st.DataObject) -> None:
    message = data.draw(_strategy(info.type_info(wire_type)))
    decoder = Decoder[Any](wire_type)
    full = _text_bytes(_full(message))
    assert decoder.decode(json.dumps(full).encode(), JSON) == message
    written = json.loads(encode(message, JSON))
    assert _is_part_of(written, full)
    assert decoder.decode(json.dumps(written).encode(), JSON) == message


@pytest.mark.parametrize("wire_type", WIRE_TYPES, ids=_name)
@given(data=st.binary(max_size=40))
def test_other_bytes_are_an_error_of_ours_or_a_message(wire_type: Any, data: bytes) -> None:
    for form in (MSGPACK, JSON):
        with contextlib.suppress(DecodeError):
            message = Decoder[Any](wire_type).decode(data, form)
            assert isinstance(message, list | msgspec.Struct)


@pytest.mark.parametrize("form", [MSGPACK, JSON])
def test_nesting_without_end_is_an_error_of_ours(form: str) -> None:
    deep = b'{"context":' * 100_000 if form == JSON else b"\x81\xa7context" * 100_000
    with pytest.raises(DecodeError):
        Decoder[Event](Event).decode(deep, form)


def test_fields_that_we_do_not_know_are_ignored() -> None:
    known = {"action": "click", "user_id": "u", "item_id": "i", "request_id": "r", "ts_ms": 1}
    packed = msgpack.packb(known | {"colour": {"of": ["later", "versions"]}})
    assert Decoder[Event](Event).decode(packed) == Event("click", "u", "i", "r", 1)


def test_a_whole_number_is_read_where_a_float_is_due() -> None:
    """Clients of languages without the difference write 1 for 1.0."""
    packed = msgpack.packb({"k": 1, "vector": [1, 0.5]})
    assert Decoder[RecallRequest](RecallRequest).decode(packed).vector == [1.0, 0.5]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "u" * 257}, "user_id"),
        ({"ts_ms": -1}, "ts_ms"),
        ({"ts_ms": 2**53 + 1}, "ts_ms"),
        ({"ts_ms": "1"}, "ts_ms"),
        ({"action": None}, "action"),
        ({"position": -1}, "position"),
        ({"context": {"a": None}}, "context"),
    ],
)
def test_a_field_out_of_its_bounds_is_named(change: dict[str, Any], told: str) -> None:
    known = {"action": "click", "user_id": "u", "item_id": "i", "request_id": "r", "ts_ms": 1}
    with pytest.raises(DecodeError, match=told):
        Decoder[Event](Event).decode(msgpack.packb(known | change))


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        (None, MSGPACK),
        ([], MSGPACK),
        ([("content-type", b"application/json")], JSON),
        ([("contentType", b'"application/json"')], JSON),
        ([("content-type", b'"application/json;charset=UTF-8"')], JSON),
        ([("content-type", b"Application/JSON; charset=utf-8")], JSON),
        ([("content-type", b"application/msgpack")], MSGPACK),
        ([("content-type", None)], MSGPACK),
        ([("content-type", b"\xff\xfe")], MSGPACK),
        ([("content-type", b"application/json"), ("content-type", b"text/plain")], MSGPACK),
        ([("other", b"application/json")], MSGPACK),
    ],
)
def test_the_content_type_header(headers: list[tuple[str, bytes | None]], form: str) -> None:
    assert content_type(headers) == form

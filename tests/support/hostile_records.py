"""Records of `events` as an enemy, or a broken producer, would write them; seeded."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgpack

NOW_MS = 1_700_000_000_000

HeaderList = list[tuple[str, bytes | None]]


class HostileRecord(NamedTuple):
    """A value, its headers, and whether these say that it is JSON."""

    value: bytes
    headers: HeaderList | None
    as_json: bool


def hostile_records(seed: int, count: int) -> Iterator[HostileRecord]:
    """So many records, the same for the same seed; some are good."""
    rng = random.Random(seed)
    for _ in range(count):
        headers, as_json = rng.choice(_HEADERS)
        # Now and then the header lies about the value.
        written_as_json = as_json if rng.random() < 0.95 else not as_json
        make = rng.choices(_MAKERS, _WEIGHTS)[0]
        yield HostileRecord(make(rng, written_as_json), headers, as_json)


_JSON = b"application/json"
_HEADERS: list[tuple[HeaderList | None, bool]] = [
    (None, False),
    ([], False),
    ([("content-type", b"application/msgpack")], False),
    ([("content-type", None)], False),
    ([("content-type", b"")], False),
    ([("content-type", b'"')], False),
    ([("content-type", b"\xff\xfe\x00;;;=")], False),
    ([("content-type", b"text/plain; charset=application/json")], False),
    ([("Content-Type", _JSON)], False),
    ([("content-type", _JSON), ("contentType", b"application/x-msgpack")], False),
    ([("content-type", _JSON)], True),
    ([("contentType", b'"application/json"')], True),
    ([("content-type", b' APPLICATION/JSON;charset="utf-16" ')], True),
    ([("content-type", b"application/msgpack"), ("contentType", _JSON)], True),
    ([("content-type", _JSON), ("content-type", None)], True),
    ([("", b""), ("content-type", _JSON), ("trace\x00\ud7ff", b"\x00" * 40)], True),
]


_GOOD = {
    "action": "click",
    "user_id": "u",
    "item_id": "i\u00e9\U0001f375",
    "request_id": "r",
    "ts_ms": NOW_MS,
}


def _noise(rng: random.Random, _: bool) -> bytes:
    return rng.randbytes(rng.randrange(61))


def _tokens(rng: random.Random, as_json: bool) -> bytes:
    """Pieces of the format in no order."""
    pieces = _JSON_PIECES if as_json else _MSGPACK_PIECES
    return b"".join(rng.choices(pieces, k=rng.randrange(1, 12)))


def _record(rng: random.Random, as_json: bool) -> bytes:
    """An event or an array of them, with what does not belong there."""
    events = [_event(rng, as_json) for _ in range(rng.randrange(5))]
    return _written(events[0] if len(events) == 1 and rng.random() < 0.8 else events, rng, as_json)


def _damaged(rng: random.Random, as_json: bool) -> bytes:
    data = bytearray(_record(rng, as_json))
    for _ in range(rng.randrange(1, 4)):
        rng.choice(_DAMAGES)(rng, data)
    return bytes(data)


def _nested(rng: random.Random, as_json: bool) -> bytes:
    """An event, or nothing, under many brackets or in a field, closed or not."""
    depth = rng.choice((1, 2, 31, 400, 1_100, 6_000))
    if as_json:
        opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"context":', b"}")))
    else:
        opened, closed = rng.choice((b"\x91", b"\x81\xa1a", b"\x81\xa7context", b"\x81")), b""
    core = _written(_event(rng, as_json), rng, as_json) if rng.random() < 0.5 else b""
    nested = opened * depth + core + closed * (depth if rng.random() < 0.7 else depth // 2)
    if rng.random() < 0.5:
        return nested
    event = _written({**_GOOD, "request_id": f"r{depth}"}, rng, as_json)
    if as_json:
        return b'{"x":' + nested + b"," + event[1:]
    return bytes([event[0] + 1]) + b"\xa1x" + nested + event[1:]


_Maker = Callable[[random.Random, bool], bytes]
_MAKERS: list[_Maker] = [_noise, _tokens, _record, _damaged, _nested]
_WEIGHTS = [12, 12, 40, 35, 1]


def _event(rng: random.Random, as_json: bool) -> Any:
    """Mostly a map of an event's fields; each may be missing or wrong."""
    if rng.random() < 0.05:
        return _thing(rng, as_json)
    event: dict[str, Any] = {
        **_GOOD,
        "action": rng.choice(("exposure", "click", "view", "stare")),
        "user_id": f"u{rng.randrange(9)}",
        "ts_ms": NOW_MS + rng.choice((0, -5_000, 300_000, 300_001)),
    }
    while rng.random() < 0.3:
        name = rng.choice((*event, "position", "context", "x", "action\x00", ""))
        if rng.random() < 0.2:
            event.pop(name, None)
        elif name == "context" and rng.random() < 0.7:
            event[name] = {"a": _thing(rng, as_json), "b": [_thing(rng, as_json)]}
        else:
            event[name] = _thing(rng, as_json)
    return event


def _thing(rng: random.Random, as_json: bool) -> Any:
    if rng.random() < 0.2:
        return rng.choice(_JSON_THINGS if as_json else _MSGPACK_THINGS)
    return rng.choice(_THINGS)


_THINGS: list[Any] = [
    None, True, 0, -1, 7, 2**53, 2**53 + 1, 2**63, -(2**63), 2**64 - 1, 0.5, 1e308,
    float("nan"), float("inf"), float("-inf"), -0.0, "", "a", "u" * 256, "u" * 257, "\x00",
    "\ufeff", "\U0010ffff", [], [[]], ["a", "b"], [1, None], {}, {"a": 1}, {"": {"": {}}},
]  # fmt: skip
_JSON_THINGS: list[Any] = [2**64, -(2**63) - 1, 10**30, 10**308, 10**400, "\ud800"]
_MSGPACK_THINGS: list[Any] = [
    b"", b"\xff", msgpack.ExtType(5, b"x"), msgpack.ExtType(127, b""), msgpack.Timestamp(0, 1),
    msgpack.Timestamp(2**63 - 1, 999_999_999), {1: 2}, {b"a": b"b"}, {(1, 2): 3},
    {None: {True: []}},
]  # fmt: skip


def _written(value: Any, rng: random.Random, as_json: bool) -> bytes:
    if not as_json:
        return bytes(msgpack.packb(value))
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return text.encode(errors="surrogatepass")


_JSON_PIECES = [
    b"[", b"]", b"{", b"}", b",", b":", b'"', b'"a"', b'"action"', b'"\\ud800"',
    b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xed\xa0\x80"', b'"\xff"', b"NaN", b"Infinity",
    b"-Infinity", b"1e999", b"-0", b"9" * 30, b"9" * 5_000, b"0.1e-400", b"null", b"true", b" ",
    b"\n", b"\xef\xbb\xbf", b"\x00",
    b'{"action":"click","action":"like","user_id":"u","item_id":"i","request_id":"r","ts_ms":1}',
]  # fmt: skip
_MSGPACK_PIECES = [
    b"\x90", b"\x91", b"\x92", b"\x80", b"\x81", b"\xc0", b"\xc1", b"\xc3", b"\xa1a", b"\xa1\xff",
    b"\xa3\xed\xa0\x80", b"\xdc\x00\x01", b"\xdc\x00\x00", b"\xdd\xff\xff\xff\xff",
    b"\xdd\x00\x00\x00\x00", b"\xde\x00\x01", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xd4\x01\x02",
    b"\xd6\xff\x00\x00\x00\x01", b"\xc7\x0c\xff" + b"\xff" * 12, b"\xca\x7f\xc0\x00\x00",
    b"\xcf" + b"\xff" * 8, b"\x01",
    b"\x85\xa6action\xa5click\xa7user_id\xa1u\xa7item_id\xa1i\xaarequest_id\xa1r\xa5ts_ms\x01",
    b"\x82\xa6action\xa5click\xa6action\xa4like",
]  # fmt: skip


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _insert(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice((rng.choice(_JSON_PIECES), rng.choice(_MSGPACK_PIECES), b"\x00"))


def _delete(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(1, 9)]


def _repeat(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randrange(1, 40)]


def _truncate(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


_DAMAGES: list[Callable[[random.Random, bytearray], None]] = [
    _flip, _flip, _flip, _insert, _delete, _repeat, _truncate,
]  # fmt: skip

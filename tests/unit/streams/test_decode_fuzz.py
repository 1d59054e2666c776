"""Whatever bytes a record holds, decode gives events or refusals, one for each part of it.

20,000 records by default, about 2 s; `PENSTOCK_FUZZ=1000000` is the nightly form. The records of a
shorter run are the first of a longer one.
"""

from __future__ import annotations

import json
import os
from collections import Counter

import msgpack
import pytest

from schemas.codec import Decoder, encode
from schemas.dead_letters import MAX_KEPT_BYTES, DeadLetter
from schemas.events import EXPOSURE, Event
from schemas.settings import LabellingSettings
from streams.dead_letters import Source, encode_dead_letter
from streams.decode import Decoded, EventDecoder
from tests.support.hostile_records import NOW_MS, HostileRecord, hostile_records

COUNT = int(os.environ.get("PENSTOCK_FUZZ", "20000"))
RULES = LabellingSettings(max_record_bytes=12_000)
ACTIONS = {EXPOSURE, *RULES.positives, *RULES.signals}
REASONS = {
    "empty",
    "oversized",
    "undecodable",
    "missing_field",
    "invalid_field",
    "unknown_action",
    "from_the_future",
}

one_event = Decoder[Event](Event)
dead_letter = Decoder[DeadLetter](DeadLetter)


def parts(record: HostileRecord) -> int | None:
    """Events that the record claims to hold, by other readers than ours; None if they can't tell.

    A record that is no array is one part.
    """
    if not record.value or len(record.value) > RULES.max_record_bytes:
        return 1
    return _json_parts(record.value) if record.as_json else _msgpack_parts(record.value)


def _msgpack_parts(value: bytes) -> int | None:
    if b"\xc9\xff\xff\xff" in value:
        return None  # msgpack adds to an ext's length in 32 bits, and skips too little
    unpacker = msgpack.Unpacker()
    unpacker.feed(value)
    try:
        array = value[0] & 0xF0 == 0x90 or value[0] in (0xDC, 0xDD)
        count = unpacker.read_array_header() if array else 1
        for _ in range(count):
            unpacker.skip()
    except (msgpack.UnpackException, ValueError):
        return None
    return count if unpacker.tell() == len(value) else None


def _json_parts(value: bytes) -> int | None:
    def refuse(literal: str) -> None:
        raise ValueError(literal)

    try:
        # Integers as text: Python limits their digits, JSON does not. Maps as pairs: a name twice.
        whole = json.loads(
            value.decode(), parse_constant=refuse, parse_int=str, object_pairs_hook=tuple
        )
        json.dumps(whole, ensure_ascii=False).encode()  # raises for half a surrogate pair
    except (ValueError, RecursionError):
        return None
    return len(whole) if isinstance(whole, list) else 1


def check(record: HostileRecord, decoded: Decoded) -> None:
    stated = len(decoded.events) + len(decoded.refusals)
    claimed = parts(record)
    if claimed is not None:
        assert stated == claimed
    else:
        assert stated >= 1
    for event in decoded.events:
        assert event.action in ACTIONS
        assert event.ts_ms <= NOW_MS + RULES.max_skew_ms
        assert all(0 < len(x) <= 256 for x in (event.user_id, event.item_id, event.request_id))
        again = encode(event)
        assert encode(one_event.decode(again)) == again  # by bytes: not-a-number is not itself
    for refusal in decoded.refusals:
        assert refusal.reason in REASONS
        assert "; " in refusal.detail
        assert refusal.value in record.value
        source = Source("penstock.events", 0, 7, None, [])
        letter = dead_letter.decode(encode_dead_letter(refusal, source, "label-positives", NOW_MS))
        kept = refusal.value[:MAX_KEPT_BYTES]
        assert (letter.reason, letter.value) == (refusal.reason, kept)


@pytest.mark.timeout(3_600)
def test_any_record_is_accounted_for() -> None:
    decoder = EventDecoder(RULES)
    seen: Counter[str] = Counter()
    for number, record in enumerate(hostile_records(seed=4, count=COUNT)):
        try:
            decoded = decoder.decode(record.value, record.headers, NOW_MS)
            check(record, decoded)
        except Exception as error:
            msg = f"record {number}: {record!r}"
            raise AssertionError(msg) from error
        seen["events"] += len(decoded.events)
        seen.update(refusal.reason for refusal in decoded.refusals)
    # The records reach every outcome, so that none is unproven.
    assert set(seen) == REASONS | {"events"}, seen

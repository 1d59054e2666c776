"""When the thing happened that a record tells of."""

from __future__ import annotations

import msgspec

from schemas.codec import Decoder, Headers, content_type
from schemas.errors import DecodeError
from schemas.topics import EVENTS, NEGATIVES, POSITIVES


class _Timed(msgspec.Struct):
    ts_ms: int


class _Batch(msgspec.Struct):
    samples: list[_Timed] = []
    passed_over: list[_Timed] = []


_events = Decoder[_Timed | list[_Timed]](_Timed | list[_Timed])
_batches = Decoder[_Batch](_Batch)


def event_time_ms(topic: str, value: bytes | None, headers: Headers, timestamp_ms: int) -> int:
    """Of a record of `topic` (without namespace): its first event's or sample's own time.

    Of other topics, and where the value has none, `timestamp_ms`: when the record was sent.
    """
    try:
        if topic == EVENTS:
            found = _events.decode(value or b"", content_type(headers))
            first = found if isinstance(found, _Timed) else found[0] if found else None
        elif topic in (POSITIVES, NEGATIVES):
            batch = _batches.decode(value or b"", content_type(headers))
            stated = batch.samples or batch.passed_over
            first = stated[0] if stated else None
        else:
            first = None
    except DecodeError:
        return timestamp_ms
    return timestamp_ms if first is None else first.ts_ms

"""One record of `events` to valid events and refusals; pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.codec import Decoder, Headers, content_type
from schemas.dead_letters import Reason
from schemas.errors import DecodeError
from schemas.events import EXPOSURE, Event
from schemas.settings import LabellingSettings

_record = Decoder[Event | list[Event]](Event | list[Event])
_parts = Decoder[list[msgspec.Raw]](list[msgspec.Raw])
_event = Decoder[Event](Event)
_map = Decoder[dict[str, msgspec.Raw]](dict[str, msgspec.Raw])


class Refusal(NamedTuple):
    """A record, or one event of it, that can't be used."""

    reason: Reason
    detail: str
    """The rule, the value that broke it, and what to do."""
    value: bytes
    """The bytes that were refused: the record's, or those of the one bad event in it."""


class Decoded(NamedTuple):
    """What a record held."""

    events: list[Event]
    refusals: list[Refusal]


class EventDecoder:
    """Decodes and checks records of `events` by the labelling settings."""

    def __init__(self, rules: LabellingSettings) -> None:
        self._rules = rules
        self._actions = {EXPOSURE, *rules.positives, *rules.signals}

    def decode(self, value: bytes | None, headers: Headers | None, now_ms: int) -> Decoded:
        """The events of one record, in their order, and what was refused; never raises.

        One bad event of an array is refused alone; the others are kept. An event may lie in the
        future by exactly `max_skew_ms`, not more.
        """
        if not value:
            detail = "a record of events has a value; got none; send an event or an array of events"
            return Decoded([], [Refusal("empty", detail, b"")])
        limit = self._rules.max_record_bytes
        if len(value) > limit:
            detail = f"a record has at most {limit} bytes; got {len(value)}; send smaller arrays"
            return Decoded([], [Refusal("oversized", detail, value)])
        form = content_type(headers)
        try:
            record = _record.decode(value, form)
        except DecodeError:
            return self._decode_parts(value, form, now_ms)
        events = record if isinstance(record, list) else [record]
        latest = now_ms + self._rules.max_skew_ms
        # Nothing but to read one field in a go: this is the path of all of them.
        in_time = max([event.ts_ms for event in events], default=0) <= latest
        if in_time and {event.action for event in events} <= self._actions:
            return Decoded(events, [])
        return self._decode_parts(value, form, now_ms)

    def _decode_parts(self, value: bytes, form: str, now_ms: int) -> Decoded:
        """Event by event, so that a bad one takes no other with it."""
        try:
            parts = _split(value, form)
        except DecodeError as error:
            detail = f"{error}; send MessagePack, or JSON with its content-type header"
            return Decoded([], [Refusal("undecodable", detail, value)])
        decoded = Decoded([], [])
        for part in parts:
            try:
                event = _event.decode(part, form)
            except DecodeError as part_error:
                decoded.refusals.append(_refusal(part_error, part))
                continue
            refusal = self._check(event, part, now_ms)
            if refusal is None:
                decoded.events.append(event)
            else:
                decoded.refusals.append(refusal)
        return decoded

    def _check(self, event: Event, part: bytes, now_ms: int) -> Refusal | None:
        if event.action not in self._actions:
            known = ", ".join(sorted(self._actions))
            detail = f"the action is one of {known}; got {event.action!r}; configure it or fix it"
            return Refusal("unknown_action", detail, part)
        ahead_ms = event.ts_ms - now_ms
        if ahead_ms > self._rules.max_skew_ms:
            detail = (
                f"ts_ms is at most {self._rules.max_skew_ms} ms in the future; "
                f"got {event.ts_ms}, {ahead_ms} ms ahead; check the producer's clock and unit"
            )
            return Refusal("from_the_future", detail, part)
        return None


def _split(value: bytes, form: str) -> list[bytes]:
    """The elements of an array, or the one map that the value is, unread.

    Raises DecodeError when it is neither, so that the fault is the bytes' and not a field's.
    """
    try:
        return [bytes(raw) for raw in _parts.decode(value, form)]
    except DecodeError as error:
        if not isinstance(error.__cause__, msgspec.ValidationError):
            raise  # not even readable, so no map either
    _map.decode(value, form)
    return [value]


def _refusal(error: DecodeError, value: bytes) -> Refusal:
    text = str(error)
    advice = "see the Event type"
    if "missing required field" in text:
        return Refusal("missing_field", f"{text}; {advice}", value)
    if isinstance(error.__cause__, msgspec.ValidationError | OverflowError):
        return Refusal("invalid_field", f"{text}; {advice}", value)
    return Refusal("undecodable", f"{text}; {advice}", value)

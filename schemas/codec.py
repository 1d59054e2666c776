"""Bytes to wire types and back: MessagePack by default, JSON where the record's header says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec

from schemas.errors import DecodeError

MSGPACK = "application/msgpack"
JSON = "application/json"
CONTENT_TYPE = "content-type"
_CONTENT_TYPE_NAMES = (CONTENT_TYPE, "contentType")  # ours, and Spring's

Headers = Iterable[tuple[str, bytes | None]]

T = TypeVar("T")

_msgpack_encoder = msgspec.msgpack.Encoder()
_json_encoder = msgspec.json.Encoder()


def content_type(headers: Headers | None) -> str:
    """`JSON` when the last content type header says so, else `MSGPACK`.

    A value may stand in quotes and carry parameters (`"application/json;charset=utf-8"`).
    """
    found = MSGPACK
    for name, value in headers or ():
        if name in _CONTENT_TYPE_NAMES and value is not None:
            text = value.decode("latin-1").strip().strip('"').lower()
            found = JSON if text.partition(";")[0].strip() == JSON else MSGPACK
    return found


def encode(message: object, form: str = MSGPACK) -> bytes:
    """The bytes of a wire type, as MessagePack or JSON. In JSON, bytes become base64."""
    return _json_encoder.encode(message) if form == JSON else _msgpack_encoder.encode(message)


class Decoder(Generic[T]):
    """Decodes and validates one wire type from either form."""

    def __init__(self, wire_type: Any) -> None:
        # `Any`: a union of structs is a fine wire type for msgspec, but not a `type[T]` for mypy.
        self._msgpack: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(wire_type)
        self._json: msgspec.json.Decoder[T] = msgspec.json.Decoder(wire_type)

    def decode(self, data: bytes, form: str = MSGPACK) -> T:
        """The message. Raises DecodeError, naming the field, when the bytes are not one.

        So also for JSON with an integer that MessagePack can't carry on to the next topic.
        """
        try:
            if form != JSON:
                return self._msgpack.decode(data)
            message = self._json.decode(data)
            _msgpack_encoder.encode(message)
            return message
        except OverflowError as error:
            msg = f"an integer has at most 64 bits; {error}"
            raise DecodeError(msg) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # RecursionError: nesting deeper than the interpreter's stack is hostile, not a bug.
            raise DecodeError(str(error)) from error

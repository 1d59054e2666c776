"""Kafka's framing: a 4-byte big-endian length, then as many bytes."""

from __future__ import annotations

import struct

from schemas.errors import DecodeError

MAX_FRAME_BYTES = 1 << 30
LENGTH_BYTES = 4
_LENGTH = struct.Struct(">i")
_HEADER = struct.Struct(">hhi")
_CORRELATION = struct.Struct(">i")


class FrameCutter:
    """Cuts what a connection brings into frames, each with its length in front."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are now complete, in order.

        Raises DecodeError for a length below 0 or above MAX_FRAME_BYTES; the rest of the stream
        means nothing then.
        """
        if not self._rest and len(data) >= LENGTH_BYTES and _end(data, 0) == len(data):
            return [data]  # most often: one whole frame
        rest = self._rest
        rest += data
        frames, start = [], 0
        while len(rest) - start >= LENGTH_BYTES:
            end = _end(rest, start)
            if end > len(rest):
                break
            with memoryview(rest) as view:
                frames.append(bytes(view[start:end]))
            start = end
        del rest[:start]
        return frames


def framed(payload: bytes) -> bytes:
    """A frame of this payload."""
    return _LENGTH.pack(len(payload)) + payload


def request_header(frame: bytes) -> tuple[int, int, int]:
    """A request's API key, API version and correlation id. Raises DecodeError if it is short."""
    try:
        key, version, correlation = _HEADER.unpack_from(frame, LENGTH_BYTES)
    except struct.error as error:
        msg = f"a request has a header of {_HEADER.size} bytes; this frame has {len(frame)}"
        raise DecodeError(msg) from error
    return key, version, correlation


def correlation_of(frame: bytes) -> int:
    """An answer's correlation id. Raises DecodeError if the frame is too short for one."""
    try:
        (correlation,) = _CORRELATION.unpack_from(frame, LENGTH_BYTES)
    except struct.error as error:
        msg = f"an answer begins with a correlation id; this frame has {len(frame)} bytes"
        raise DecodeError(msg) from error
    return int(correlation)


def _end(data: bytes | bytearray, start: int) -> int:
    (length,) = _LENGTH.unpack_from(data, start)
    if not 0 <= length <= MAX_FRAME_BYTES:
        msg = f"a Kafka frame has 0 to {MAX_FRAME_BYTES} bytes; this one says {length}"
        raise DecodeError(msg)
    return start + LENGTH_BYTES + int(length)

"""What the front changes in the broker's answers, each time without changing their length."""

from __future__ import annotations

import struct

from ops.embedded.messages import (
    API_VERSIONS,
    DESCRIBE_CLUSTER,
    FETCH,
    FIND_COORDINATOR,
    LAST_FETCH_BY_NAME,
    METADATA,
)
from ops.embedded.ports import HOST

_WITH_ADDRESSES = frozenset({METADATA, FIND_COORDINATOR, DESCRIBE_CLUSTER})
_ERROR_AT = 8
_COUNT_AT = 10
_FIRST_FLEXIBLE = 3
_MAX_VERSION_IN_RANGE = 4


class Rewriter:
    """Puts the public port where the broker tells its own, and caps the version of fetches."""

    def __init__(self, private_port: int, public_port: int) -> None:
        self._private = _address(private_port)
        self._public = _address(public_port)

    def answer(self, key: int, version: int, frame: bytes) -> bytes:
        """The answer to a request of this API key and version as the client shall see it."""
        if key in _WITH_ADDRESSES:
            return frame.replace(self._private, self._public)
        if key == API_VERSIONS:
            return _capped(frame, version)
        return frame


def _address(port: int) -> bytes:
    return HOST.encode() + struct.pack(">i", port)


def _capped(frame: bytes, version: int) -> bytes:
    """ApiVersions with fetches up to LAST_FETCH_BY_NAME; left alone where it is an error.

    A fetch by topic ids would be woken by every record.
    """
    if frame[_ERROR_AT:_COUNT_AT] != b"\0\0":
        return frame
    if version < _FIRST_FLEXIBLE:
        first, step = _COUNT_AT + 4, 6
        count = int.from_bytes(frame[_COUNT_AT:first], "big")
    else:
        # A varint of count + 1; a broker with more than 126 APIs would take two bytes, and is then
        # left alone.
        first, step = _COUNT_AT + 1, 7
        count = frame[_COUNT_AT] - 1 if frame[_COUNT_AT] < 128 else 0
    capped = bytearray(frame)
    for at in range(first, min(first + count * step, len(frame) - step + 1), step):
        key, _, last = struct.unpack_from(">hhh", frame, at)
        if key == FETCH and last > LAST_FETCH_BY_NAME:
            struct.pack_into(">h", capped, at + _MAX_VERSION_IN_RANGE, LAST_FETCH_BY_NAME)
    return bytes(capped)

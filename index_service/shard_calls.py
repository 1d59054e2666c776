"""Calls to other nodes that wait for their answers."""

from __future__ import annotations

import asyncio
import struct
import uuid
from collections.abc import Callable
from typing import NamedTuple

from schemas.codec import Decoder, Headers, encode
from schemas.errors import DecodeError
from schemas.recall import CORRELATION_ID, DEADLINE_MS, REPLY_PARTITION
from schemas.shards import ShardAnswer, ShardCall

_decoder: Decoder[ShardAnswer] = Decoder(ShardAnswer)

SendCall = Callable[[str, bytes, list[tuple[str, bytes]]], None]
"""Sends to a node this value with these headers, some time soon."""


class _Waiting(NamedTuple):
    future: asyncio.Future[ShardAnswer]
    queries: int


class ShardCalls:
    """Futures by correlation id; all methods belong to the loop's thread."""

    def __init__(self, send: SendCall, reply_partition: int) -> None:
        self._send = send
        self._reply_partition = struct.pack(">i", reply_partition)
        self._waiting: dict[bytes, _Waiting] = {}

    def ask(self, call: ShardCall, deadline_ms: int) -> asyncio.Future[ShardAnswer]:
        """Send the call; who no longer waits for the answer cancels the future."""
        correlation_id = uuid.uuid4().bytes
        future = asyncio.get_running_loop().create_future()
        self._waiting[correlation_id] = _Waiting(future, len(call.queries))
        future.add_done_callback(lambda _: self._waiting.pop(correlation_id, None))
        headers = [
            (CORRELATION_ID, correlation_id),
            (REPLY_PARTITION, self._reply_partition),
            (DEADLINE_MS, str(deadline_ms).encode()),
        ]
        self._send(call.to, encode(call), headers)
        return future

    def take(self, headers: Headers, value: bytes | None) -> None:
        """An answer, perhaps to another node or to one who waits no longer. Raises DecodeError."""
        waiting = self._waiting.get(dict(headers).get(CORRELATION_ID) or b"")
        if waiting is None or waiting.future.done():
            return
        answer = _decoder.decode(value or b"")
        if answer.status == "ok" and len(answer.found) != waiting.queries:
            msg = f"an answer must be to {waiting.queries} queries; got {len(answer.found)}"
            raise DecodeError(msg)
        waiting.future.set_result(answer)

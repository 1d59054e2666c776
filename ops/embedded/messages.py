"""What the front must know of Kafka's messages: what a fetch waits for, and what came.

Decoded by kafka-python, which knows every version of them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka.protocol.consumer.fetch import FetchRequest, FetchResponse
from kafka.protocol.producer.produce import ProduceRequest

from ops.embedded.frames import LENGTH_BYTES
from schemas.errors import DecodeError

PRODUCE, FETCH, METADATA, FIND_COORDINATOR = 0, 1, 3, 10
API_VERSIONS, END_TXN, DESCRIBE_CLUSTER = 18, 26, 60
LAST_FETCH_BY_NAME = 12
_MAX_HEADER_BYTES = 33_000
"""A client id has up to 32,767 bytes."""


@dataclass(frozen=True, slots=True)
class FetchTerms:
    """What a fetch waits for, and for how long at most.

    `topics` of None is any topic: from version 13 on a fetch gives ids instead of names.
    """

    max_wait_s: float
    min_bytes: int
    topics: frozenset[str] | None

    @property
    def waits(self) -> bool:
        """Whether a broker may let it wait at all."""
        return self.max_wait_s > 0 and self.min_bytes > 0 and self.topics != frozenset()


@dataclass(frozen=True, slots=True)
class Produced:
    """What a produce request writes to; one of acks=0 gets no answer."""

    topics: frozenset[str]
    is_answered: bool


def fetch_terms(frame: bytes, version: int) -> FetchTerms:
    """The terms of a fetch request. Raises DecodeError."""
    with _decoding("fetch request", version):
        request = _body(FetchRequest, frame, version)
        topics = None
        if version <= LAST_FETCH_BY_NAME:
            topics = frozenset(topic.topic for topic in request.topics)
        return FetchTerms(request.max_wait_ms / 1_000, request.min_bytes, topics)


def is_enough(frame: bytes, version: int, min_bytes: int) -> bool:
    """Whether a broker would give this fetch answer now: `min_bytes` of records, or an error.

    Also when it belongs to a fetch session, whose request can't be asked twice. Raises DecodeError.
    """
    with _decoding("fetch answer", version):
        answer = _body(FetchResponse, frame, version)
        if version >= 7 and (answer.error_code or answer.session_id):
            return True
        records_bytes = 0
        for topic in answer.responses:
            for part in topic.partitions:
                if part.error_code:
                    return True
                records_bytes += len(part.records or b"")
        return records_bytes >= min_bytes


def produced(frame: bytes, version: int) -> Produced:
    """What a produce request writes to. Raises DecodeError."""
    with _decoding("produce request", version):
        request = _body(ProduceRequest, frame, version)
        return Produced(frozenset(topic.name for topic in request.topic_data), request.acks != 0)


def _body(message: Any, frame: bytes, version: int) -> Any:
    # kafka-python's own reading of a header copies the whole frame three times.
    start = io.BytesIO(frame[LENGTH_BYTES : LENGTH_BYTES + _MAX_HEADER_BYTES])
    message.parse_header(start, version=version)
    return message.decode(memoryview(frame)[LENGTH_BYTES + start.tell() :], version=version)


@contextmanager
def _decoding(what: str, version: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # kafka-python raises whatever its decoders stumble over
        msg = f"a {what} has the layout of its version {version}; {type(error).__name__}: {error}"
        raise DecodeError(msg) from error

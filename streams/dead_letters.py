"""A refused record, or a refused event of it, as a dead letter; pure."""

from __future__ import annotations

from typing import NamedTuple

from schemas.codec import encode
from schemas.dead_letters import MAX_KEPT_BYTES, DeadLetter
from streams.decode import Refusal

_HEADER_BYTES = 11
"""MessagePack's own bytes of one header, at most: a record may hold very many empty ones."""


class Source(NamedTuple):
    """The record that something was refused of."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: list[tuple[str, bytes]]


def encode_dead_letter(refusal: Refusal, source: Source, role: str, ts_ms: int) -> bytes:
    """The dead letter's bytes, always far below a broker's limit.

    Of the value, of the key and of the headers together, `MAX_KEPT_BYTES` each are kept; what was
    cut stays in the source record.
    """
    return encode(
        DeadLetter(
            reason=refusal.reason,
            detail=refusal.detail[:MAX_KEPT_BYTES],
            role=role,
            topic=source.topic,
            partition=source.partition,
            offset=source.offset,
            ts_ms=ts_ms,
            value=refusal.value[:MAX_KEPT_BYTES],
            value_bytes=len(refusal.value),
            key=source.key and source.key[:MAX_KEPT_BYTES],
            headers=_first_headers(source.headers),
        )
    )


def _first_headers(headers: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    kept: list[tuple[str, bytes]] = []
    left = MAX_KEPT_BYTES
    for name, value in headers:
        left -= _HEADER_BYTES + len(name.encode()) + len(value)
        if left < 0:
            break
        kept.append((name, value))
    return kept

"""Sample batches to records below the broker's size limit; pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from schemas.codec import encode
from schemas.samples import SampleBatch

MAX_CHUNK_BYTES = 1_000_000
"""Below Kafka's default limit of 1,048,588 bytes a record."""


def encode_chunks(batch: SampleBatch, limit_bytes: int = MAX_CHUNK_BYTES) -> Iterator[bytes]:
    """The batch as one record, or as several of at most `limit_bytes` with the samples in order.

    The first carries the exposure counts. A single sample larger than the limit goes alone.
    """
    data = encode(batch)
    # One sample beside exposure counts can still be parted from them.
    whole = not batch.samples or (len(batch.samples) == 1 and not batch.exposures)
    if len(data) <= limit_bytes or whole:
        yield data
        return
    half = len(batch.samples) // 2
    yield from encode_chunks(
        msgspec.structs.replace(batch, samples=batch.samples[:half]), limit_bytes
    )
    yield from encode_chunks(
        msgspec.structs.replace(batch, samples=batch.samples[half:], exposures={}), limit_bytes
    )

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

    The first carries the exposure counts. What can't be parted goes alone, however large.
    """
    data = encode(batch)
    parts = halves(batch) if len(data) > limit_bytes else ()
    if not parts:
        yield data
    for part in parts:
        yield from encode_chunks(part, limit_bytes)


def halves(batch: SampleBatch) -> tuple[SampleBatch, ...]:
    """Two batches that hold the same in the same order; none when it can't be parted.

    One sample beside exposure counts is parted from them; the counts themselves stay together,
    since they are added once per source offset. The items of one request are parted, too.
    """
    samples, shown = batch.samples, batch.passed_over
    if not samples and len(shown) == 1:
        items = shown[0].item_ids
        middle = len(items) // 2
        parted = [msgspec.structs.replace(shown[0], item_ids=items[:middle])] if middle else []
        shown = [*parted, msgspec.structs.replace(shown[0], item_ids=items[middle:])]
    count = len(samples) + len(shown)
    if not count or (count == 1 and not batch.exposures):
        return ()
    half = count // 2
    half_shown = max(0, half - len(samples))
    return (
        msgspec.structs.replace(batch, samples=samples[:half], passed_over=shown[:half_shown]),
        msgspec.structs.replace(
            batch, samples=samples[half:], passed_over=shown[half_shown:], exposures={}
        ),
    )

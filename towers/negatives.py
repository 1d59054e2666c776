"""The patient path: negatives in parts, which wait for clicks and are thinned when many."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from schemas.events import EXPOSURE
from schemas.samples import PassedOver, SampleBatch, sample_ids

AT_ONCE = 256
"""Samples of a part: so many are taken in about the time of a click's own way."""
_HASHES = 1 << 64


class Negatives:
    """Samples of records that were read, handed on in parts of at most `AT_ONCE`.

    A record may hold thousands, and a click should not wait for them.
    """

    def __init__(self) -> None:
        self._parts: deque[SampleBatch] = deque()
        self.thinned = 0
        """Samples left out."""

    def __len__(self) -> int:
        """Parts that wait."""
        return len(self._parts)

    def add(self, batches: Iterable[SampleBatch], share: float = 1.0) -> None:
        """The batches, in their order; of each only a `share` of its samples, by their ids."""
        for batch in batches:
            kept = batch if share >= 1 else _thinned(batch, share)
            self.thinned += batch.count() - kept.count()
            parts = [*_parts(kept)] or [kept]
            # The counts of exposures are of the whole batch.
            self._parts += [parts[0], *(replace(part, exposures={}) for part in parts[1:])]

    def next(self) -> list[SampleBatch]:
        """The next part, if there is one."""
        return [self._parts.popleft()] if self._parts else []


def _thinned(batch: SampleBatch, share: float) -> SampleBatch:
    bound = share * _HASHES
    kept = [_items_below(shown, bound) for shown in batch.passed_over]
    return replace(
        batch,
        samples=[sample for sample in batch.samples if sample.sample_id < bound],
        passed_over=[shown for shown in kept if shown.item_ids],
    )


def _items_below(shown: PassedOver, bound: float) -> PassedOver:
    identities = sample_ids(shown.request_id, shown.item_ids, EXPOSURE)
    items = zip(shown.item_ids, identities, strict=True)
    return replace(shown, item_ids=[item_id for item_id, identity in items if identity < bound])


def _parts(batch: SampleBatch) -> Iterator[SampleBatch]:
    for start in range(0, len(batch.samples), AT_ONCE):
        yield replace(batch, samples=batch.samples[start : start + AT_ONCE], passed_over=[])
    part: list[PassedOver] = []
    size = 0
    for shown in batch.passed_over:
        for start in range(0, len(shown.item_ids), AT_ONCE):
            item_ids = shown.item_ids[start : start + AT_ONCE]
            if size + len(item_ids) > AT_ONCE:
                yield replace(batch, samples=[], passed_over=part)
                part, size = [], 0
            part.append(replace(shown, item_ids=item_ids))
            size += len(item_ids)
    if part:
        yield replace(batch, samples=[], passed_over=part)

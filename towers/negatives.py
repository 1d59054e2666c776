"""The patient path: negatives in parts, which wait for clicks and are thinned when many."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec.structs import replace

from schemas.samples import SampleBatch

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
            stated = samples = batch.stated()
            if share < 1:
                samples = [one for one in stated if one.sample_id < share * _HASHES]
                self.thinned += len(stated) - len(samples)
            for start in range(0, max(1, len(samples)), AT_ONCE):
                part = replace(batch, samples=samples[start : start + AT_ONCE], passed_over=[])
                # The counts of exposures are of the whole batch.
                self._parts.append(replace(part, exposures={}) if start else part)

    def next(self) -> list[SampleBatch]:
        """The next part, if there is one."""
        return [self._parts.popleft()] if self._parts else []

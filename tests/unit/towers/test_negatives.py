from __future__ import annotations

import pytest

from schemas.samples import SampleBatch
from tests.unit.towers.samples import batch, sample
from towers.negatives import AT_ONCE, Negatives


def negatives(count: int, offset: int = 1) -> SampleBatch:
    samples = (
        sample("u", "a", f"{offset} {number}", "exposure_negative") for number in range(count)
    )
    return batch(*samples, offset=offset, exposures={"a": 3})


def taken(waiting: Negatives) -> list[SampleBatch]:
    parts = []
    while waiting:
        parts += waiting.next()
    return parts


def test_records_are_handed_on_in_parts_that_are_together_the_same() -> None:
    waiting = Negatives()
    records = [negatives(2 * AT_ONCE + 1), negatives(0, offset=2), negatives(AT_ONCE, offset=3)]
    waiting.add(records)
    parts = taken(waiting)
    assert [len(part.samples) for part in parts] == [AT_ONCE, AT_ONCE, 1, 0, AT_ONCE]
    assert [one for part in parts for one in part.samples] == [
        one for record in records for one in record.samples
    ]
    assert [part.source_offset for part in parts] == [1, 1, 1, 2, 3]
    assert [part.exposures for part in parts] == [{"a": 3}, {}, {}, {"a": 3}, {"a": 3}]
    assert waiting.next() == [] and waiting.thinned == 0


def test_thinned_records_lose_the_same_samples_each_time() -> None:
    waiting = Negatives()
    record = negatives(4_000)
    waiting.add([record, record], share=0.25)
    parts = taken(waiting)
    half = len(parts) // 2
    kept, again = (
        [one for part in some for one in part.samples] for some in (parts[:half], parts[half:])
    )
    assert kept == again
    assert len(kept) == pytest.approx(1_000, rel=0.1)
    assert waiting.thinned == 8_000 - 2 * len(kept)

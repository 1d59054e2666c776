from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.samples import PassedOver, SampleBatch
from tests.unit.towers.samples import batch, sample
from towers.negatives import AT_ONCE, Negatives


def negatives(count: int, offset: int = 1) -> SampleBatch:
    samples = (
        sample("u", "a", f"{offset} {number}", "exposure_negative") for number in range(count)
    )
    return batch(*samples, offset=offset, exposures={"a": 3})


def lists(sizes: list[int], offset: int = 1) -> SampleBatch:
    shown = [
        PassedOver("u", f"{offset} {number}", 5, [f"i{item}" for item in range(size)])
        for number, size in enumerate(sizes)
    ]
    return SampleBatch([], 0, offset, {"a": 3}, shown)


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


@given(st.lists(st.integers(1, 3 * AT_ONCE), max_size=12))
def test_lists_are_handed_on_in_parts_that_are_together_the_same(sizes: list[int]) -> None:
    waiting = Negatives()
    record = lists(sizes)
    waiting.add([record])
    parts = taken(waiting)
    assert [one for part in parts for one in part.stated()] == record.stated()
    assert all(len(part.stated()) <= AT_ONCE for part in parts)
    # No two neighbours would fit into one.
    for part, after in pairwise(parts):
        assert len(part.stated()) + len(after.passed_over[0].item_ids) > AT_ONCE
    assert [part.exposures for part in parts] == [{"a": 3}, *[{}] * (len(parts) - 1)]


@pytest.mark.parametrize("record", [negatives(4_000), lists([25] * 160)], ids=["samples", "lists"])
def test_thinned_records_lose_the_same_samples_each_time(record: SampleBatch) -> None:
    waiting = Negatives()
    waiting.add([record, record], share=0.25)
    parts = taken(waiting)
    half = len(parts) // 2
    kept, again = (
        [one for part in some for one in part.stated()] for some in (parts[:half], parts[half:])
    )
    assert kept == again
    assert len(kept) == pytest.approx(1_000, rel=0.1)
    assert waiting.thinned == 8_000 - 2 * len(kept)

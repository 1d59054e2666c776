"""Records are acknowledged strictly in order, whatever the order in which they become final."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.acks import AckLine


def test_a_held_record_holds_back_all_later_ones() -> None:
    acked: list[int] = []
    line = AckLine()
    records = [line.track(partial(acked.append, offset)) for offset in range(100)]
    for offset in range(100):
        if offset != 10:
            records[offset].release()
    assert acked == list(range(10))
    records[10].release()
    assert acked == list(range(100))
    assert len(line) == 0


@given(st.permutations(range(12)), st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_acknowledged_is_always_the_longest_final_prefix(
    order: list[int], holds: list[int]
) -> None:
    acked: list[int] = []
    line = AckLine()
    records = [line.track(partial(acked.append, offset)) for offset in range(12)]
    for record, extra in zip(records, holds, strict=True):
        record.hold(extra)
    final: set[int] = set()
    for offset in order:
        records[offset].release(1 + holds[offset])
        final.add(offset)
        prefix = next(n for n in range(13) if n not in final)
        assert acked == list(range(prefix))


def test_an_abandoned_line_acknowledges_nothing_more() -> None:
    acked: list[int] = []
    line = AckLine()
    record = line.track(lambda: acked.append(0))
    line.abandon()
    record.release()
    assert acked == []


def test_releasing_more_than_was_held_is_an_error() -> None:
    record = AckLine().track(lambda: None)
    record.release()
    with pytest.raises(RuntimeError, match="more often"):
        record.release()

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towers.sparse_sums import SparseSums

named = st.lists(st.tuples(st.integers(0, 19), st.sampled_from([-1.0, 0.5, 1.0])), max_size=12)


@pytest.mark.parametrize("known", [20, 5_000])  # all are looked at, and only what is named
@given(st.lists(st.tuples(named, st.lists(st.integers(0, 9_000), max_size=5)), max_size=4))
def test_sums_are_those_of_a_dictionary_call_after_call(
    known: int, calls: list[tuple[list[tuple[int, float]], list[int]]]
) -> None:
    sums = SparseSums()
    for pairs, unwanted in calls:
        expected: dict[int, float] = defaultdict(float)
        for item, value in pairs:
            if item not in unwanted:
                expected[item] += value
        items = np.array([item for item, _ in pairs], np.int32)
        values = np.array([value for _, value in pairs], np.float32)
        rows, found = sums.of(items, values, np.array(unwanted, np.int64), known)
        assert len(set(rows.tolist())) == len(rows)
        assert dict(zip(rows.tolist(), found.tolist(), strict=True)) == {
            item: value for item, value in expected.items() if value
        }

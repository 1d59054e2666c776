"""The largest of many numbers, against a sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_service.ranking import top, top_of_each


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(0, 700),
    columns=st.integers(1, 5),
    count=st.integers(0, 40),
    distinct=st.integers(1, 50),
)
def test_each_column_gives_its_largest(
    seed: int, rows: int, columns: int, count: int, distinct: int
) -> None:
    values = np.random.default_rng(seed).integers(distinct, size=(rows, columns))  # many ties
    for column, found in zip(values.T, top_of_each(values, count), strict=True):
        best = np.sort(column)[::-1]
        wanted = best[:count]
        for some in (top(column, count), found):
            assert len(set(some.tolist())) == len(some)
            np.testing.assert_array_equal(np.sort(column[some])[::-1][: len(wanted)], wanted)
        assert len(top(column, count)) == len(wanted)
        # What comes beside them is among the next.
        np.testing.assert_array_equal(np.sort(column[found])[::-1], best[: len(found)])


@pytest.mark.parametrize("columns", [1, 8])
def test_few_come_beside_the_largest(columns: int) -> None:
    values = np.random.default_rng(0).standard_normal((20_000, columns)).astype(np.float32)
    assert all(100 <= len(found) <= 150 for found in top_of_each(values, 100))

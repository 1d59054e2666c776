from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from towers.moments import CLIP, Moments

_values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@given(_values, st.floats(-1e6, 1e6))
def test_standardises_as_numpy_does_over_all_that_was_seen(values: list[float], one: float) -> None:
    moments = Moments()
    for value in values:
        moments.observe(2, value)
    deviation = np.std(values)
    if 0 < deviation < 1e-3:
        return  # the textbook formula itself is rounding then
    expected = np.clip((one - np.mean(values)) / deviation, -CLIP, CLIP) if deviation else 0.0
    found = moments.standardise(np.array([2]), np.array([one]))
    np.testing.assert_allclose(found, [expected], rtol=1e-3, atol=1e-3)


def test_the_first_value_is_zero_and_other_rows_pass_unchanged() -> None:
    moments = Moments()
    rows, raw = np.array([0, 1, 9]), np.array([0.25, 42.0, 0.5])
    np.testing.assert_array_equal(moments.standardise(rows, raw), raw.astype(np.float32))
    moments.observe(1, 42.0)
    np.testing.assert_array_equal(moments.standardise(rows, raw), [0.25, 0.0, 0.5])


def test_outliers_are_clipped() -> None:
    moments = Moments()
    for value in (1.0, 2.0, 3.0):
        moments.observe(0, value)
    found = moments.standardise(np.array([0, 0]), np.array([1e9, -1e9]))
    np.testing.assert_array_equal(found, [CLIP, -CLIP])

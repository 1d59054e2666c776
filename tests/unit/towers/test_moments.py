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
        moments.observe(value)
    deviation = np.std(values)
    if 0 < deviation < 1e-3:
        return  # the textbook formula itself is rounding then
    expected = np.clip((one - np.mean(values)) / deviation, -CLIP, CLIP) if deviation else 0.0
    offsets, found = moments.read(np.array([one]))
    assert offsets.tolist() == [0]
    np.testing.assert_allclose(found, [expected], rtol=1e-3, atol=1e-3)


def test_before_two_values_differ_everything_is_at_the_mean() -> None:
    moments = Moments()
    for _ in range(3):
        np.testing.assert_array_equal(moments.read(np.array([42.0, 0.0]))[1], [0, 0])
        moments.observe(42.0)


def test_outliers_are_clipped() -> None:
    moments = Moments()
    for value in (1.0, 2.0, 3.0):
        moments.observe(value)
    np.testing.assert_array_equal(moments.read(np.array([1e9, -1e9]))[1], [CLIP, -CLIP])


def test_goes_on_from_its_state() -> None:
    moments = Moments()
    for value in (1.0, 4.0):
        moments.observe(value)
    again = Moments(moments.state())
    for one in (moments, again):
        one.observe(9.0)
    assert moments.state() == again.state()

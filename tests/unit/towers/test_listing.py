from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towers.listing import above_the_rest, strongest


@given(st.lists(st.floats(0, 10), max_size=30), st.integers(0, 30))
def test_keeps_the_best_less_what_the_best_of_the_rest_has(values: list[float], kept: int) -> None:
    places, above = above_the_rest(np.array(values, np.float64), kept)
    ordered = sorted(values, reverse=True)
    floor = ordered[kept] if len(values) > kept else 0.0
    assert above.tolist() == [value - floor for value in ordered[:kept] if value > floor]
    assert [values[place] - floor for place in places.tolist()] == above.tolist()


@pytest.mark.parametrize("most", [1, 3, 9])
def test_strongest_are_those_farthest_from_zero(most: int) -> None:
    rows, values = np.arange(5), np.array([0.5, -3.0, 1.0, 2.0, -0.1])
    kept, theirs = strongest((rows, values), most)
    assert kept.tolist() == [1, 3, 2, 0, 4][:most]
    assert theirs.tolist() == values[kept].tolist()

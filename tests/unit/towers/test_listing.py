from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from towers.listing import above_the_rest


@given(st.lists(st.floats(0, 10), max_size=30), st.integers(0, 30))
def test_keeps_the_best_less_what_the_best_of_the_rest_has(values: list[float], kept: int) -> None:
    places, above = above_the_rest(np.array(values, np.float64), kept)
    ordered = sorted(values, reverse=True)
    floor = ordered[kept] if len(values) > kept else 0.0
    assert above.tolist() == [value - floor for value in ordered[:kept] if value > floor]
    assert [values[place] - floor for place in places.tolist()] == above.tolist()

"""A rate is kept on average, and a delay is made good by at most one second's worth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ops.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(st.floats(0.5, 5_000), st.lists(st.integers(1, 50), min_size=1, max_size=200))
def test_never_faster_than_the_rate(per_s: float, batches: list[int]) -> None:
    clock = Clock()
    pace = Pace(per_s, clock)
    for number in range(len(batches)):
        clock.now_s += pace.wait_s(batches[number])
        sent_before = sum(batches[:number])
        assert clock.now_s - 100.0 >= sent_before / per_s - 1e-6


def test_a_delay_is_made_good_by_one_second_only() -> None:
    clock = Clock()
    pace = Pace(10, clock)
    clock.now_s += 60
    at_once = 0
    while pace.wait_s(1) == 0:
        at_once += 1
    assert at_once == 11  # ten owed for the last second, and the one that is due now

"""Rates against the increments that were made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.dashboard.rates import Rates


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=2, max_size=40))
def test_increments_survive_a_counter_that_begins_anew(steps: list[tuple[int, bool]]) -> None:
    rates, value = Rates(), 0
    rates.update([("p", "n", 0.0)], 0.0)
    for second, (step, restarted) in enumerate(steps, start=1):
        # A counter that begins anew shows only if it has not grown past what it was.
        value = step if restarted and step < value else value + step
        rates.update([("p", "n", float(value))], float(second))
    made = [step for step, _ in steps]
    assert rates.increment("n") == pytest.approx(sum(made))
    last = made[-5:]
    assert rates.per_s("n", 5.0) == pytest.approx(sum(last) / len(last))


def test_processes_are_summed_and_a_newcomer_adds_nothing_that_was_before() -> None:
    rates = Rates()
    rates.update([("a", "n", 100.0)], 0.0)
    rates.update([("a", "n", 110.0), ("b", "n", 5_000.0)], 1.0)
    assert rates.per_s("n") == 10.0
    rates.update([("a", "n", 120.0), ("b", "n", 5_020.0)], 2.0)
    assert rates.per_s("n", 1.0) == 30.0
    rates.update([], 3.0)  # both are gone
    assert rates.per_s("n", 1.0) == 0.0


def test_unknown_until_there_are_two_looks() -> None:
    rates = Rates()
    assert rates.per_s("n") is None
    rates.update([("a", "n", 1.0)], 0.0)
    assert rates.per_s("n") is None
    assert rates.increment("other") is None


def test_only_a_minute_is_kept() -> None:
    rates = Rates()
    for second in range(200):
        rates.update([("a", "n", float(second))], float(second))
    assert rates.increment("n", 1_000.0) == 60.0

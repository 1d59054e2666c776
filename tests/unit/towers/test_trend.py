from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.score import bias, faded
from towers.trend import Trend

_HALF_LIVES = (3.0, 40.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=400))
def test_counts_are_sums_of_halved_events(events: list[tuple[int, bool]]) -> None:
    trend = Trend(_HALF_LIVES)
    happened: dict[str, list[tuple[int, int]]] = {"positives": [], "exposures": []}
    for item, taken in events:
        if taken:
            trend.add_positive(item)
            happened["positives"].append((item, trend.clock))
        else:
            trend.add_exposures(item, 2)
            happened["exposures"] += [(item, trend.clock)] * 2
    counts = trend.counts(4)
    assert counts.clock == len(happened["positives"])
    expected = np.zeros((4, 4))
    for column, name in enumerate(trend.names):
        kind, _, half_life = name.partition("@")
        for item, at in happened[kind]:
            expected[item, column] += 2 ** ((at - counts.clock) / float(half_life))
    np.testing.assert_allclose(counts.at(np.arange(4)), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(counts.biases(), bias(expected).T, rtol=1e-6, atol=1e-6)
    again = Trend(_HALF_LIVES)
    again.load(trend.state())
    np.testing.assert_array_equal(again.counts(4).at(np.arange(4)), counts.at(np.arange(4)))


def test_stays_finite_for_ever() -> None:
    trend = Trend([1.0, 1e9])
    for _ in range(5_000):  # 2^5000 is far beyond a double
        trend.add_positive(0)
        trend.add_exposures(1, 1)
    counts = trend.counts(2).at(np.arange(2))
    assert counts[0, 0] == pytest.approx(2.0)
    assert counts[1, 2] == pytest.approx(2.0)
    assert counts[0, 1] == pytest.approx(5_000, rel=1e-4)


def test_a_count_fades_to_what_is_counted_later() -> None:
    trend = Trend(_HALF_LIVES)
    trend.add_positive(0)
    before = trend.counts(2)
    old, clock = before.at(np.array([0])), before.clock
    for _ in range(7):
        trend.add_positive(1)
    after = trend.counts(2)
    np.testing.assert_allclose(
        faded(old, after.clock - clock, trend.half_lives), after.at(np.array([0]))
    )


def test_an_item_is_named_with_the_counts_that_matter() -> None:
    trend = Trend(_HALF_LIVES)
    trend.add_positive(0)
    trend.add_exposures(1, 3)
    taken, shown = trend.counts(2).named(np.arange(2), trend.names)
    assert taken == {"positives@3": 1.0, "positives@40": 1.0}
    assert shown == {"exposures@3": 3.0, "exposures@40": 3.0}


def test_an_exposure_is_taken_back_as_far_as_it_was_counted() -> None:
    trend = Trend(_HALF_LIVES)
    trend.add_exposures(0, 2)
    trend.add_positive(0)
    biases = trend.counts(1).biases()[:, 0]
    expected = trend.counts(1).at(np.array([0]))[0]
    expected[2:] = np.maximum(expected[2:] - 1, 0)
    trend.take_exposure_back(biases)
    np.testing.assert_allclose(biases, bias(expected), rtol=1e-5)
    for _ in range(3):
        trend.take_exposure_back(biases)
    np.testing.assert_allclose(biases[2:], 0, atol=1e-6)


def test_no_half_life_is_no_trend() -> None:
    trend = Trend([])
    trend.add_positive(0)
    trend.add_exposures(0, 1)
    assert (trend.clock, trend.counts(1).biases().shape) == (1, (0, 1))

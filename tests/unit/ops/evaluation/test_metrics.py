from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.evaluation.metrics import (
    Ints,
    estimate,
    hits,
    moving_average,
    random_hits,
    reciprocals,
)


def ints(*values: int) -> Ints:
    return np.array(values, np.int64)


def test_hits_and_reciprocal_ranks_by_hand() -> None:
    ranks = ints(1, 10, 11, 0, 2)
    assert hits(ranks, 10).tolist() == [1, 1, 0, 0, 1]
    assert hits(ranks, 1).tolist() == [1, 0, 0, 0, 0]
    assert reciprocals(ranks).tolist() == [1, 0.1, 1 / 11, 0, 0.5]
    assert hits(ints(), 10).tolist() == reciprocals(ints()).tolist() == []


def test_chance_of_a_random_list_by_hand() -> None:
    assert random_hits(ints(40, 10, 5, 0), 10).tolist() == [0.25, 1, 1, 1]


def test_interval_of_independent_values_is_the_textbook_one() -> None:
    values = np.array([1.0, 0, 0, 1, 1, 0, 1, 1])
    found = estimate(values, np.arange(8))
    half = 1.959964 * values.std(ddof=1) / math.sqrt(8)
    assert found == pytest.approx((0.625, 0.625 - half, 0.625 + half))


def test_interval_takes_the_values_of_one_user_together() -> None:
    """Ten copies of each user's value say no more than one: the interval stays as it was."""
    values = np.array([1.0, 0, 0, 1, 1, 0, 1, 1])
    once = estimate(values, np.arange(8))
    tenfold = estimate(np.repeat(values, 10), np.repeat(np.arange(8), 10))
    assert tenfold == pytest.approx(once)
    assert tenfold.low < estimate(np.repeat(values, 10), np.arange(80)).low


def test_interval_covers_the_truth_in_nineteen_of_twenty_samples() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(600):
        rates = random.beta(2, 6, size=60)  # of each user; their mean is 0.25
        values = (random.random((60, 5)) < rates[:, np.newaxis]).astype(np.float64).ravel()
        found = estimate(values, np.repeat(np.arange(60), 5))
        covered += found.low <= 0.25 <= found.high
    assert 0.92 < covered / 600 < 0.975


def test_nothing_to_estimate_from() -> None:
    assert all(math.isnan(part) for part in estimate(np.zeros(0), ints()))
    single = estimate(np.array([1.0, 0.0]), ints(3, 3))
    assert single.mean == 0.5
    assert math.isnan(single.low) and math.isnan(single.high)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 50), st.integers(2, 20))
def test_moving_average_is_the_mean_of_each_window(
    values: list[float], window: int, points: int
) -> None:
    ends, means = moving_average(np.array(values), window, points)
    assert ends[-1] == len(values) and ends[0] == min(window, len(values))
    for end, mean in zip(ends.tolist(), means.tolist(), strict=True):
        assert mean == pytest.approx(np.mean(values[max(0, end - window) : end]), abs=1e-9)

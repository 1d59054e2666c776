from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from towers.frequency import ALPHA, FrequencyEstimate, expected_counts


@given(st.lists(st.integers(0, 4), max_size=60))
def test_a_moving_mean_of_gaps(positives: list[int]) -> None:
    estimate = FrequencyEstimate()
    gaps: dict[int, float] = {}
    last: dict[int, int] = {}
    seen: dict[int, int] = {}
    for clock, item in enumerate(positives, start=1):
        estimate.observe(item, items=5)
        count = seen.get(item, 0)
        gap = clock - last[item] if count else max(clock, 5)
        share = max(ALPHA, 1 / (count + 1))
        gaps[item] = (1 - share) * gaps.get(item, 0.0) + share * gap
        last[item], seen[item] = clock, count + 1
    expected = [1 / gaps[item] if item in gaps else 0.0 for item in range(6)]
    np.testing.assert_allclose(estimate.frequencies(np.arange(6)), expected, rtol=1e-6)


def test_comes_near_the_true_frequencies_and_follows_a_change() -> None:
    random = np.random.default_rng(0)
    estimate = FrequencyEstimate()
    for shares in ([0.6, 0.3, 0.1], [0.1, 0.3, 0.6]):
        found = np.zeros(3)
        for step in range(4_000):
            estimate.observe(int(random.choice(3, p=shares)), items=3)
            if step >= 2_000:
                found += estimate.frequencies(np.arange(3)) / 2_000
        np.testing.assert_allclose(found, shares, rtol=0.1)


def test_expected_counts_are_those_of_a_simulation() -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.5, 0.3, 0.2], np.float32)
    counted = np.zeros(3)
    for _ in range(4_000):
        counted += np.bincount(random.choice(3, 8, p=shares / shares.sum()), minlength=3)
        counted += np.bincount(random.integers(0, 3, 6), minlength=3)
    np.testing.assert_allclose(expected_counts(shares, 8, 6, 3), counted / 4_000, rtol=0.02)

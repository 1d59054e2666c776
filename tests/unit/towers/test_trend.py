from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towers.trend import Trend, decayed

_HALF_LIFE = 3.0


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=400))
def test_counts_are_sums_of_halved_events(events: list[tuple[int, bool]]) -> None:
    trend = Trend(_HALF_LIFE)
    positives: list[tuple[int, int]] = []
    exposures: list[tuple[int, int]] = []
    for item, taken in events:
        if taken:
            trend.add_positive(item)
            positives.append((item, trend.clock))
        else:
            trend.add_exposures(item, 2)
            exposures += [(item, trend.clock)] * 2
    counts = trend.counts(4)
    assert counts.clock == len(positives)
    for found, happened in ((counts.positives, positives), (counts.exposures, exposures)):
        expected = np.zeros(4)
        for item, at in happened:
            expected[item] += 2 ** ((at - counts.clock) / _HALF_LIFE)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_stays_finite_for_ever() -> None:
    trend = Trend(half_life=1.0)
    for _ in range(5_000):  # 2^5000 is far beyond a double
        trend.add_positive(0)
    assert trend.counts(1).positives[0] == pytest.approx(2.0)


def test_decayed_says_what_the_count_becomes() -> None:
    trend = Trend(_HALF_LIFE)
    trend.add_positive(0)
    before = trend.counts(2)
    for _ in range(7):
        trend.add_positive(1)
    after = trend.counts(2)
    faded = decayed(before.positives, np.full(2, before.clock), after.clock, _HALF_LIFE)
    assert faded[0] == pytest.approx(after.positives[0])

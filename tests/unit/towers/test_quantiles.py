from __future__ import annotations

import numpy as np
import pytest

from towers.quantiles import BUCKETS, SAMPLE, Quantiles


@pytest.mark.parametrize("order", ["as they come", "rising"])
@pytest.mark.parametrize("spread", ["normal", "lognormal"])
def test_each_bucket_holds_about_equally_many(spread: str, order: str) -> None:
    """Against all values: a sample of 1,024 places a bound within .05 of its rank."""
    values = getattr(np.random.default_rng(0), spread)(size=20_000)
    if order == "rising":
        values.sort()
    quantiles = Quantiles()
    for value in values:
        quantiles.observe(value)
    offsets, weights = quantiles.read(values)
    shares = np.bincount(offsets, minlength=BUCKETS) / len(values)
    np.testing.assert_allclose(np.cumsum(shares), np.arange(1, BUCKETS + 1) / BUCKETS, atol=0.05)
    assert (weights == 1).all()


def test_few_values_are_split_exactly() -> None:
    quantiles = Quantiles()
    for value in range(SAMPLE):
        quantiles.observe(float(value))
    offsets, _ = quantiles.read(np.arange(SAMPLE, dtype=np.float64))
    assert np.bincount(offsets).tolist() == [SAMPLE // BUCKETS] * BUCKETS
    assert quantiles.read(np.array([-1e9, 1e9]))[0].tolist() == [0, BUCKETS - 1]


def test_equal_values_are_in_one_bucket() -> None:
    quantiles = Quantiles()
    for _ in range(3):
        quantiles.observe(5.0)
        assert len(set(quantiles.read(np.full(4, 5.0))[0].tolist())) == 1


def test_goes_on_from_its_state() -> None:
    values = np.random.default_rng(1).normal(size=3_000)
    quantiles = Quantiles()
    for value in values[:2_000]:
        quantiles.observe(value)
    again = Quantiles(quantiles.state())
    for value in values[2_000:]:
        quantiles.observe(value)
        again.observe(value)
    assert quantiles.state() == again.state()
    np.testing.assert_array_equal(quantiles.read(values)[0], again.read(values)[0])

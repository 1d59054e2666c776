from __future__ import annotations

import math

import numpy as np
import pytest

from schemas.score import (
    PRIOR,
    bias,
    blended,
    count_names,
    faded,
    first_weights,
    half_life_of,
    session_marks,
    unbiased,
)
from schemas.settings import TowerSettings


def test_names_of_counts_say_their_half_life() -> None:
    names = count_names([10, 2.5, 5_000])
    assert names[:3] == ["positives@10", "positives@2.5", "positives@5000"]
    assert [half_life_of(name) for name in names] == [10, 2.5, 5_000] * 2


@pytest.mark.parametrize(
    "name", ["similar", "positives", "likes@10", "positives@", "exposures@-1", "exposures@inf"]
)
def test_other_names_have_no_half_life(name: str) -> None:
    assert half_life_of(name) is None


def test_a_bias_is_the_log_of_a_count_over_its_prior() -> None:
    counts = np.array([0.0, 0.1, 7.5])
    expected = [math.log((count + PRIOR) / PRIOR) for count in counts]
    np.testing.assert_allclose(bias(counts), expected)
    np.testing.assert_allclose(unbiased(bias(counts)), counts, atol=1e-12)


def test_counts_halve_each_half_life_and_are_kept_when_newer() -> None:
    counts = np.array([8.0, 8.0, 8.0])
    ages, half_lives = np.array([10.0, 30.0, -5.0]), np.array([10.0, 15.0, 10.0])
    np.testing.assert_allclose(faded(counts, ages, half_lives), [4.0, 2.0, 8.0])


def test_the_newest_item_of_a_session_has_most() -> None:
    marks = session_marks(["c", "b", "a"])
    assert marks["taken"] == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert marks["recent"] == pytest.approx({"c": 1.0, "b": 0.8, "a": 0.64})


def test_the_score_is_the_sum_of_what_has_a_weight() -> None:
    random = np.random.default_rng(0)
    cosines = random.standard_normal(6).astype(np.float32)
    biases = {name: random.random(6) for name in ("positives@10", "exposures@10", "unknown@1")}
    places, values = np.array([4, 1]), np.array([0.5, 2.0])
    weights = {"positives@10": 0.7, "exposures@10": -1.0, "similar": 3.0, "nobody": 9.0}
    found = blended(cosines, 2.0, weights, biases, {"similar": (places, values)})
    for item in range(6):
        expected = 2.0 * float(cosines[item])
        expected += 0.7 * biases["positives@10"][item] - biases["exposures@10"][item]
        expected += 3.0 * {4: 0.5, 1: 2.0}.get(item, 0.0)
        assert found[item] == pytest.approx(expected)


def test_first_weights_are_of_the_slowest_counts() -> None:
    towers = TowerSettings(trend_half_lives=(50, 9, 7), positives_weight=0.4, exposures_weight=-0.3)
    assert first_weights(towers) == {"positives@50": 0.4, "exposures@50": -0.3}
    assert first_weights(TowerSettings(trend_half_lives=())) == {}

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from schemas.events import FeatureValue
from schemas.score import bias
from towers.context_trend import ContextTrend


def listed(trend: ContextTrend, **context: FeatureValue) -> dict[str, dict[int, float]]:
    return {
        name: dict(zip(rows.tolist(), values.tolist(), strict=True))
        for name, (rows, values) in trend.listed(context).items()
    }


def test_counts_within_each_value_fade_with_what_is_taken_there() -> None:
    random = np.random.default_rng(0)
    trend = ContextTrend({}, items=50, values=10)
    taken: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for _ in range(3_000):
        city, item = f"c{random.integers(3)}", int(random.integers(12))
        weight = float(random.choice([1.0, 0.5]))
        trend.add({"city": city}, item, weight)
        taken[city].append((item, weight))
        if len(taken[city]) == 500:
            again = ContextTrend({}, items=50, values=10)
            again.load(trend.state())
            trend = again
    for city, events in taken.items():
        expected, later = np.zeros(12), 0.0
        for item, weight in reversed(events):
            expected[item] += weight * 2 ** (-later / 1_000)
            later += weight
        found = listed(trend, city=city)["city"]
        assert found == pytest.approx(dict(enumerate(bias(expected).tolist())))


def test_counts_stay_finite_for_ever() -> None:
    trend = ContextTrend({}, items=5, values=1)
    for _ in range(300):
        trend.add({"city": "a"}, 1, 1_000.0)
    assert listed(trend, city="a")["city"][1] == pytest.approx(bias(np.array([2_000.0]))[0])


def test_lists_are_short_and_end_near_nothing() -> None:
    trend = ContextTrend({}, items=2, values=1)
    for item, count in enumerate((5, 4, 3)):
        for _ in range(count):
            trend.add({"city": "a"}, item, 1.0)
    found = listed(trend, city="a")["city"]
    whole = ContextTrend({}, items=3, values=1)
    whole.load(trend.state())
    every = listed(whole, city="a")["city"]
    assert found == pytest.approx({0: every[0] - every[2], 1: every[1] - every[2]})


def test_memory_is_bounded_and_what_is_taken_most_stays() -> None:
    random = np.random.default_rng(1)
    trend = ContextTrend({}, items=5, values=3)
    for number in range(2_000):
        item = int(random.integers(1_000)) if number % 2 else number % 4 // 2
        trend.add({"city": f"c{number % 4}" if number < 100 else "c3"}, item, 1.0)
    state = trend.state()
    again = ContextTrend({}, items=5, values=3)
    again.load(state)
    kept = again._counts
    assert list(kept) == ["city=c1", "city=c2", "city=c3"]
    assert all(len(counts) <= 8 * 5 for counts in kept.values())
    assert set(list(listed(trend, city="c3")["city"])[:2]) == {0, 1}


def test_categories_count_and_numbers_only_where_they_are_said_to_be_categories() -> None:
    trend = ContextTrend({"zone": "categorical", "note": "text"}, items=5, values=100)
    context: dict[str, FeatureValue] = {
        "city": "a",
        "member": True,
        "tags": ["x", "y"],
        "zone": 7,
        "note": "some words",
        "hour": 12,
        "price": 3.5,
    }
    trend.add(context, 1, 1.0)
    assert listed(trend, **context).keys() == {"city", "member", "tags", "zone"}
    assert listed(trend, city="b", tags=["z", "y"]).keys() == {"tags"}
    off = ContextTrend({}, items=0, values=100)
    off.add(context, 1, 1.0)
    assert listed(off, **context) == {}


def test_what_is_listed_within_a_value_is_what_a_user_there_is_told() -> None:
    trend = ContextTrend({}, items=5, values=2)
    trend.add({"city": "a", "device": "phone"}, 1, 1.0)
    trend.add({"city": "a"}, 2, 1.0)
    rows, values = trend.within("city=a")
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == listed(trend, city="a")["city"]
    assert [len(each) for each in trend.within("city=nowhere")] == [0, 0]


def test_values_that_changed_are_told_once() -> None:
    trend = ContextTrend({}, items=5, values=2)
    trend.add({"city": "a", "device": "phone"}, 1, 1.0)
    trend.add({"city": "a"}, 2, 1.0)
    assert trend.take_changed() == ["city=a", "device=phone"]
    assert trend.take_changed() == []
    trend.add({"city": "b"}, 1, 1.0)  # a third value: the one without news for longest is forgotten
    assert trend.take_changed() == ["city=b", "device=phone"]
    assert len(trend.within("device=phone")[0]) == 0
    again = ContextTrend({}, items=5, values=2)
    again.load(trend.state())
    assert again.take_changed() == ["city=a", "city=b"]

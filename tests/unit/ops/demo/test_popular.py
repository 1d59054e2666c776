"""The control group's list, against the definition of its decay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.demo.popular import Popular


def _counts(clicks: list[str], half_life: float) -> dict[str, float]:
    """By definition: a click weighs 0.5 ** (later clicks / half-life)."""
    counts: dict[str, float] = {}
    for later, item in enumerate(reversed(clicks)):
        counts[item] = counts.get(item, 0.0) + 0.5 ** (later / half_life)
    return counts


@given(
    st.lists(st.sampled_from("abcdef"), max_size=60),
    st.sampled_from([0.05, 1.0, 7.5, 5_000.0]),
    st.integers(0, 8),
)
def test_top_is_by_decayed_clicks(clicks: list[str], half_life: float, k: int) -> None:
    popular = Popular(half_life)
    for item in clicks:
        popular.add(item)
    expected = _counts(clicks, half_life)
    for item in "abcdef":
        assert popular.count(item) == pytest.approx(expected.get(item, 0.0), rel=1e-9, abs=1e-300)
    top = popular.top(k)
    assert len(top) == len(set(top)) == min(k, len(expected))
    left = [count for item, count in expected.items() if item not in top]
    assert all(expected[item] >= max(left, default=0) * (1 - 1e-9) for item in top)


def test_new_clicks_overtake_old_ones() -> None:
    popular = Popular(half_life_clicks=10)
    for item in ["old"] * 30 + ["new"] * 15:
        popular.add(item)
    assert popular.top(2) == ["new", "old"]
    assert popular.top(2, exclude={"new"}) == ["old"]


def test_equal_ones_come_by_id() -> None:
    popular = Popular(half_life_clicks=1e300)
    for item in "cab":
        popular.add(item)
    assert popular.top(3) == ["a", "b", "c"]


def test_a_long_run_neither_overflows_nor_forgets() -> None:
    popular = Popular(half_life_clicks=1)
    for _ in range(3_000):  # weights up to 2^3000 without rescaling
        popular.add("a")
    popular.add("b")
    assert popular.count("b") == pytest.approx(1.0)
    assert popular.count("a") == pytest.approx(1.0)  # 1/2 + 1/4 + ...

"""The control group's list, against the definition of its rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.demo.popular import Popular

visits = st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=6))


@given(visits, st.integers(0, 8))
def test_top_is_by_smoothed_rate(shown: list[list[tuple[str, bool]]], k: int) -> None:
    popular = Popular()
    for visit in shown:
        popular.add([item for item, _ in visit], [item for item, clicked in visit if clicked])
    everything = [pair for visit in shown for pair in visit]
    mean = sum(clicked for _, clicked in everything) / max(len(everything), 1)
    rates = {}
    for item in "abcdef":
        own = [clicked for name, clicked in everything if name == item]
        rates[item] = (sum(own) + 100 * mean) / (len(own) + 100)
        assert popular.rate(item) == pytest.approx(rates[item])
    known = {item for item, _ in everything}
    top = popular.top(k)
    assert len(top) == len(set(top)) == min(k, len(known))
    left = [rates[item] for item in known if item not in top]
    assert all(rates[item] >= max(left, default=0) - 1e-12 for item in top)


def test_a_lucky_newcomer_does_not_beat_a_proven_item() -> None:
    popular = Popular()
    for _ in range(100):
        popular.add(["proven", "dull"], ["proven"])
    popular.add(["lucky"], ["lucky"])
    assert popular.top(3) == ["proven", "lucky", "dull"]


def test_equal_ones_come_by_id() -> None:
    popular = Popular()
    popular.add(list("cab"), [])
    assert popular.top(3) == ["a", "b", "c"]

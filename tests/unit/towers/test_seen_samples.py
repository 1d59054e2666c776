from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.towers.samples import sample
from towers.seen_samples import SeenSamples


def test_each_sample_is_new_once() -> None:
    seen = SeenSamples(100)
    statements = [
        sample("u", "i", "r"),
        sample("u", "i", "r", action="like"),
        sample("u", "i", "r", "signal"),
        sample("u", "j", "r", "exposure_negative"),
    ]
    assert [seen.judge(one) for one in statements] == ["new"] * 4
    assert [seen.judge(one) for one in statements] == ["duplicate"] * 4


def test_a_click_takes_its_negative_back_in_either_order() -> None:
    click, like = sample("u", "i", "r"), sample("u", "i", "r", action="like")
    negative = sample("u", "i", "r", "exposure_negative")
    for order in permutations([click, like, negative]):
        seen = SeenSamples(100)
        verdicts = {one.action: seen.judge(one) for one in order}
        first = order.index(negative)
        if first == 0:
            later = [verdicts[one.action] for one in order[1:]]
            assert verdicts["exposure"] == "new"
            assert later == ["late_positive", "new"]
        else:
            assert verdicts["exposure"] == "refused_negative"
            assert {verdicts["click"], verdicts["like"]} == {"new"}
        assert seen.judge(negative) == "duplicate"


def test_a_signal_takes_no_negative_back() -> None:
    seen = SeenSamples(100)
    assert seen.judge(sample("u", "i", "r", "exposure_negative")) == "new"
    assert seen.judge(sample("u", "i", "r", "signal")) == "new"
    assert seen.judge(sample("u", "i", "r")) == "late_positive"


@given(st.integers(1, 6), st.lists(st.integers(0, 9), max_size=60))
def test_the_newest_are_remembered(size: int, requests: list[int]) -> None:
    seen = SeenSamples(size)
    oracle: list[int] = []
    for request in requests:
        expected = "duplicate" if request in oracle else "new"
        assert seen.judge(sample("u", "i", str(request), "exposure_negative")) == expected
        if expected == "new":
            oracle = [*oracle, request][-size:]
        again = SeenSamples(size)
        again.load(seen.state())
        assert len(again) == len(seen) == len(oracle)
        seen = again

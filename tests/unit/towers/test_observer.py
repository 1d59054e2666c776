from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from schemas.events import FeatureValue
from schemas.samples import PassedOver, SampleBatch
from schemas.score import bias
from schemas.settings import Settings, TowerSettings, TrainerSettings
from tests.unit.towers.samples import batch, sample
from towers.model import TwoTower
from towers.observer import Observer
from towers.probes import Probe
from towers.replay import Examples


def observer(seen_items: int = 500) -> Observer:
    settings = Settings(
        towers=TowerSettings(dim=4, history=3), trainer=TrainerSettings(seen_items=seen_items)
    )
    return Observer(settings, TwoTower(settings.towers, settings.features))


def probes(world: Observer) -> dict[int, Probe]:
    world.settle()
    return world.probes


def names(world: Observer, examples: Examples, row: int) -> list[str]:
    ids = world.catalogue.ids
    present = examples.actions[row] > 0
    return [ids[item] for item in examples.latest[row][present]]


def all_examples(world: Observer) -> Examples:
    return world.replay.examples(np.arange(world.replay.appended))


def numbers(state: Any) -> Any:
    """The same, with plain lists for tensors."""
    if isinstance(state, dict):
        return {name: numbers(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, Tensor) else state


def test_a_positive_remembers_the_history_from_before_it_without_itself() -> None:
    world = observer()
    world.observe(
        [
            batch(
                sample("u", "a", "1"),
                sample("u", "b", "2", "signal", weight=0.5),
                sample("u", "c", "3"),
                sample("v", "a", "4"),
                sample("u", "a", "5", action="like"),
                sample("u", "d", "6"),
            )
        ]
    )
    examples = all_examples(world)
    histories = [names(world, examples, row) for row in range(5)]
    assert histories == [[], ["b", "a"], [], ["c", "b"], ["a", "c", "b"]]
    assert examples.actions[4].tolist() == [1.0, 1.0, 0.5]
    assert [examples.user_ids[row] for row in range(5)] == ["u", "u", "v", "u", "u"]
    assert world.users["u"].latest == {2: 1.0, 0: 1.0, 3: 1.0}
    assert list(world.users["u"].seen) == [1, 2, 0, 3]


def test_a_repeated_sample_changes_nothing() -> None:
    world = observer()
    one = batch(sample("u", "a", "1"), sample("u", "b", "1", "exposure_negative"))
    assert world.observe([one]).users == ["u"]
    again = world.observe([one, one])
    assert (again.users, again.items) == ([], set())
    assert world.counts["duplicates"] == 4
    assert world.trend.counts(2).at(np.arange(2))[:, 2].tolist() == [1.0, 0.0]
    assert world.replay.appended == 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("uv"),  # user
            st.integers(0, 4),  # request
            st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True),
            st.sampled_from([{}, {"city": "Oslo"}, {"city": "Rome"}]),
            st.booleans(),  # clicks on the first item, before
        ),
        max_size=25,
    )
)
def test_a_list_passed_over_is_taken_in_as_its_samples_are(
    drawn: list[tuple[str, int, list[str], dict[str, FeatureValue], bool]],
) -> None:
    """The same state by lists and by one sample for each item, duplicates and late clicks too."""
    by_list, by_sample = observer(), observer()
    for offset, (user, request, item_ids, context, clicked) in enumerate(drawn):
        clicks = [sample(user, item_ids[0], f"{user}{request}")] if clicked else []
        shown = PassedOver(user, f"{user}{request}", offset, item_ids, context)
        lists = SampleBatch(clicks, 0, offset, passed_over=[shown])
        one = by_list.observe([lists])
        other = by_sample.observe([SampleBatch(lists.stated(), 0, offset)])
        assert one == other
    assert by_list.counts == by_sample.counts
    assert by_list.catalogue.ids == by_sample.catalogue.ids
    assert numbers(by_list.state()) == numbers(by_sample.state())


def test_exposures_are_counted_once_per_source_offset() -> None:
    world = observer()
    for partition, offset in [(0, 5), (0, 5), (1, 5), (0, 4), (0, 6)]:
        world.observe([batch(offset=offset, partition=partition, exposures={"a": 2})])
    assert world.trend.counts(1).at(np.array([0]))[0].tolist() == [0.0] * 3 + [6.0] * 3


def test_a_late_click_takes_its_negative_back() -> None:
    world = observer()
    world.observe([batch(sample("u", "a", "1", "exposure_negative"))])
    world.observe([batch(sample("u", "b", "1", "exposure_negative"))])
    assert len(world.users["u"].negatives) == 2
    world.observe([batch(sample("u", "a", "1"))])
    assert list(world.users["u"].negatives.values()) == [world.catalogue.row("b")]
    assert (world.counts["late_positives"], world.counts["positives"]) == (1, 1)


def test_a_negative_that_comes_after_its_click_is_refused() -> None:
    world = observer()
    world.observe([batch(sample("u", "a", "1"))])
    observed = world.observe([batch(sample("u", "a", "1", "exposure_negative"))])
    assert observed.users == []
    assert not world.users["u"].negatives
    assert world.counts["negatives"] == 0
    assert world.counts["late_positives"] == 1


def test_the_order_of_a_negative_and_its_click_makes_no_difference_to_what_is_seen() -> None:
    click, negative = sample("u", "a", "1"), sample("u", "a", "1", "exposure_negative")
    for order in ([click, negative], [negative, click]):
        world = observer()
        world.observe([batch(*order)])
        assert list(world.users["u"].seen) == [0]
        assert world.users["u"].negatives == {}
        assert world.replay.appended == 1


def test_context_of_the_moment_goes_with_the_positive() -> None:
    world = observer()
    world.observe(
        [
            batch(
                sample("u", "a", "1", ts_ms=1, context={"city": "Rome"}),
                sample("u", "b", "2", ts_ms=2, context={"city": "Oslo", "age": "30"}),
            )
        ]
    )
    assert all_examples(world).features.lengths.tolist() == [1, 2]
    assert world.users["u"].features == {"city": "Oslo", "age": "30"}


def test_a_probe_knows_only_what_came_before() -> None:
    world = observer()
    world.observe([batch(sample("u", "a", "1"), sample("v", "b", "2"))])
    probes(world).clear()
    world.observe([batch(sample("u", "b", "3"), sample("u", "c", "4"))])
    known, new = probes(world)[2], probes(world)[3]
    assert known.seen.tolist() == [world.catalogue.row("a")]
    assert known.known == 2
    slowest = known.names.index("positives@5000")
    np.testing.assert_allclose(known.biases[slowest], bias(np.ones(2)), rtol=1e-3)
    assert new.item == world.catalogue.row("c")  # beyond the counts: it can't be recalled
    assert sorted(new.seen.tolist()) == [0, 1]
    assert known.marks["taken"][0].tolist() == [world.catalogue.row("a")]


def test_a_probe_does_not_know_the_exposures_that_led_to_its_positive() -> None:
    world = observer()
    world.observe([batch(offset=1, exposures={"a": 3, "b": 1})])
    world.observe([batch(sample("u", "a", "1"), offset=2, exposures={"a": 1, "b": 1})])
    world.observe([batch(sample("v", "b", "2"), offset=3)])  # shown before, in an earlier record
    together, later = probes(world)[0], probes(world)[1]
    row = together.names.index("exposures@5000")
    np.testing.assert_allclose(together.biases[row], bias(np.array([3.0, 1.0])), rtol=1e-5)
    np.testing.assert_allclose(together.own[row], together.biases[row, 0])
    np.testing.assert_allclose(later.biases[row], bias(np.array([4.0, 2.0])), rtol=1e-3)
    np.testing.assert_allclose(later.own[row], bias(np.array(1.0)), rtol=1e-3)


def test_what_is_seen_is_bounded() -> None:
    world = observer(seen_items=2)
    world.observe([batch(*(sample("u", item, item) for item in "abc"))])
    assert list(world.users["u"].seen) == [1, 2]


def test_an_item_that_comes_with_its_first_positive_is_no_candidate_for_it() -> None:
    world = observer()
    world.observe([batch(sample("u", "a", "1"))])
    world.item("late", [])  # as a record of the item does
    world.observe([batch(sample("u", "late", "2")), batch(sample("v", "a", "3"))])
    late, other = probes(world)[1], probes(world)[2]
    assert (late.known, late.item) == (1, 1)
    assert other.known == 1
    world.observe([batch(sample("w", "late", "4"))])
    assert probes(world)[3].known == 2

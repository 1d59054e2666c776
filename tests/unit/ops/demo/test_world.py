"""The simulated world: what its tuning promises, and that a seed settles everything."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from ops.demo.taste import Nature, Taste, click_probability
from ops.demo.world import AGE_GROUPS, CATEGORIES, DEVICES, World
from schemas.codec import Decoder, encode
from schemas.events import Item

K = 10


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


@pytest.fixture(scope="module", params=[0, 1])
def truth(request: pytest.FixtureRequest) -> dict[str, list[float]]:
    """Each user's click probabilities of all items of a world, in the items' order."""
    world = World(request.param, users=200, items=1_000)
    return {
        user: [world.click_probability(user, item) for item in world.items] for user in world.users
    }


def test_lists_are_worth_what_the_tuning_says(truth: dict[str, list[float]]) -> None:
    of_items = [_mean(list(column)) for column in zip(*truth.values(), strict=True)]
    random_list = _mean(of_items)
    popular = _mean(sorted(of_items)[-K:])
    ideal = _mean([_mean(sorted(row)[-K:]) for row in truth.values()])
    assert 0.04 <= random_list <= 0.05
    assert 1.5 <= popular / random_list <= 2.1
    assert 5 <= ideal / random_list <= 11


def test_no_category_is_popular_with_everybody(truth: dict[str, list[float]]) -> None:
    """Else the control group's list would be half personal."""
    shares = Counter(
        max(range(len(row)), key=row.__getitem__) % len(CATEGORIES) for row in truth.values()
    )
    assert max(shares.values()) < 0.3 * len(truth)


def test_clicks_come_as_often_as_the_truth_says() -> None:
    world = World(3, users=40, items=60)
    shown = [(user, item) for user in world.users for item in world.items] * 10
    clicks = sum(world.click(user, item) for user, item in shown)
    expected = sum(world.click_probability(user, item) for user, item in shown)
    assert abs(clicks - expected) < 4 * math.sqrt(expected)


def test_the_formula() -> None:
    liked = Taste({"toys": 2.0}, frozenset({"brand-01"}), 3.0, [1, 0, 0, 0])
    item = Nature("toys", "brand-01", 4.0, 0.3, [2, 5, 0, 0])
    plain = Nature("lamps", "brand-02", 3.0, 0.0, [0, 0, 0, 0])

    def log_odds(probability: float) -> float:
        return math.log(probability / (1 - probability))

    gained = log_odds(click_probability(liked, item)) - log_odds(click_probability(liked, plain))
    assert gained == pytest.approx(2.0 + 0.5 - 0.25 * 1.0 + 0.3 + 0.25 * 2)


def test_a_seed_settles_everything() -> None:
    def story(seed: int) -> list[object]:
        world = World(seed, users=20, items=30, now_ms=5)
        shown = [(user, item) for user in world.users for item in list(world.items)[:5]]
        clicks = [world.click(user, item) for user, item in shown]
        return [world.items, clicks, world.new_item(9), [world.context(u) for u in world.users]]

    assert story(7) == story(7)
    assert story(7) != story(8)


def test_clicks_do_not_change_the_items_to_come() -> None:
    quiet, busy = World(1, users=3, items=3), World(1, users=3, items=3)
    for _ in range(50):
        busy.click("user-000000", "item-000000")
    assert quiet.new_item(4) == busy.new_item(4)


def test_new_items_have_the_next_id_and_can_be_clicked() -> None:
    world = World(0, users=2, items=123)
    item = world.new_item(now_ms=77)
    assert (item.item_id, item.ts_ms) == ("item-000123", 77)
    assert world.items[item.item_id] is item
    assert 0 < world.click_probability("user-000001", "item-000123") < 1


def test_items_show_their_features_and_fit_the_wire() -> None:
    world = World(0, users=1, items=400)
    decoder = Decoder[Item](Item)
    for item in world.items.values():
        assert decoder.decode(encode(item)) == item
        assert set(item.features) == {"category", "brand", "tags", "price"}
        assert item.attributes == {"category": item.features["category"]}
        assert isinstance(item.features["price"], float)
    assert {item.features["category"] for item in world.items.values()} == set(CATEGORIES)
    assert len(CATEGORIES) == 20


def test_contexts_hint_at_categories_weakly() -> None:
    world = World(0, users=600, items=1)
    assert {world.context(user)["age_group"] for user in world.users} == set(AGE_GROUPS)
    assert {world.context(user)["device"] for user in world.users} == set(DEVICES)
    phones = Counter(
        world.context(user)["age_group"]
        for user in world.users
        if world.context(user)["device"] == "phone"
    )
    assert phones[AGE_GROUPS[0]] > phones[AGE_GROUPS[-1]]


def test_what_a_user_likes_depends_on_the_age_group() -> None:
    """Mean probability of the hinted fifth of the catalogue against that of the rest."""
    world = World(0, users=300, items=400)
    young = [user for user in world.users if world.context(user)["age_group"] == AGE_GROUPS[0]]
    hinted: list[float] = []
    others: list[float] = []
    for item_id, item in world.items.items():
        near = item.features["category"] in CATEGORIES[:5]
        chances = [world.click_probability(user, item_id) for user in young]
        (hinted if near else others).append(_mean(chances))
    assert 1.2 < _mean(hinted) / _mean(others) < 2


def test_an_item_of_an_earlier_run_is_never_clicked_and_an_unknown_user_is_an_error() -> None:
    world = World(0, users=1, items=1)
    assert world.click_probability("user-000000", "item-999999") == 0
    assert not world.click("user-000000", "item-999999")
    with pytest.raises(KeyError):
        world.click("user-999999", "item-000000")

from __future__ import annotations

import numpy as np
import pytest

from ops.evaluation import item_knn
from ops.evaluation.item_knn import ItemKnn
from ops.evaluation.judge import judge
from ops.evaluation.matrix import MatrixCompletion
from ops.evaluation.metrics import hits, random_hits
from ops.evaluation.popularity import Popularity, Random, clicks, exposures
from ops.evaluation.recommender import Ask, Recommender
from schemas.errors import SettingsError
from schemas.events import Event, Item
from tests.unit.ops.evaluation.streams import SETTINGS, event, random_events, stream_of

RULES = SETTINGS.labelling


def fed(recommender: Recommender, events: list[Event]) -> Recommender:
    seen: dict[str, None] = {}
    for one in events:
        if one.item_id not in seen:
            seen[one.item_id] = None
            recommender.arrive([Item(one.item_id, 0)])
        recommender.take([one])
    return recommender


def listed(recommender: Recommender, user: str, k: int = 10, *exclude: str) -> list[str]:
    return list(recommender.recommend(Ask(user, 0, {}, k, exclude)))


def test_random_finds_what_the_closed_form_says() -> None:
    stream = stream_of(random_events(4_000, items=400))
    found = judge(stream, Random(1), exclude_own=False)
    known = found.ages_ms >= 0
    for k in (10, 50, 200):
        expected = float((known * random_hits(found.candidates, k)).mean())
        spread = np.sqrt(expected / len(found.ranks))
        assert abs(hits(found.ranks, k).mean() - expected) < 4 * spread
    assert hits(found.ranks, 50).mean() > 0


def test_popularity_counts_clicks_or_exposures() -> None:
    events = [event("exposure", "u", item) for item in "aabbbc"]
    events += [event("click", "u", item) for item in "cca"] + [event("like", "u", "b")]
    assert listed(fed(Popularity(RULES, clicks(RULES)), events), "v") == ["c", "a", "b"]
    assert listed(fed(Popularity(RULES, exposures), events), "v") == ["b", "a", "c"]
    assert listed(fed(Popularity(RULES, exposures), events), "v", 1, "b") == ["a"]


def test_popularity_halves_with_each_half_life_of_clicks() -> None:
    """After 10 clicks with a half-life of 5, four old clicks weigh one: less than two new ones."""
    events = [event("click", "u", "old")] * 4 + [event("click", "u", str(n)) for n in range(8)]
    events += [event("click", "u", "new")] * 2
    assert listed(fed(Popularity(RULES, clicks(RULES), 5), events), "v")[0] == "new"
    assert listed(fed(Popularity(RULES, clicks(RULES), 50), events), "v")[0] == "old"
    oracle = {"old": 0.0, "new": 0.0}
    for one in events:
        oracle = {item: count * 2 ** (-1 / 5) for item, count in oracle.items()}
        if one.item_id in oracle:
            oracle[one.item_id] += 1
    assert oracle["new"] > oracle["old"]


def test_item_knn_is_the_cosine_of_sets_of_users() -> None:
    random = np.random.default_rng(0)
    events = [
        event("click", f"u{random.integers(12)}", f"i{random.integers(15)}", f"r{number}")
        for number in range(120)
    ]
    knn = fed(ItemKnn(RULES, history=3, decay=0.5, window=100), events)
    users: dict[str, set[str]] = {}
    latest: dict[str, list[str]] = {}
    for one in events:
        users.setdefault(one.item_id, set()).add(one.user_id)
        past = latest.setdefault(one.user_id, [])
        if one.item_id in past:
            past.remove(one.item_id)
        past.append(one.item_id)
    for user, past in latest.items():
        scores = {
            item: sum(
                0.5**age
                * len(users[item] & users[other])
                / np.sqrt(len(users[item]) * len(users[other]))
                for age, other in enumerate(past[:-4:-1])
                if other != item
            )
            for item in users
            if item not in past
        }
        found = listed(knn, user, 50, *past)
        assert set(found) == set(scores)
        assert [scores[item] for item in found] == pytest.approx(sorted(scores.values())[::-1])


def test_item_knn_refuses_more_items_than_it_can_hold() -> None:
    knn = ItemKnn(RULES, history=3, decay=0.5, window=100)
    with pytest.raises(SettingsError, match="item-knn holds at most"):
        knn.arrive([Item(str(number), 0) for number in range(item_knn.MAX_ITEMS + 1)])


def test_matrix_completion_completes_a_matrix_of_rank_one() -> None:
    """Two tastes: what the likes of a user like is found among items they never met."""
    random = np.random.default_rng(0)
    events = []
    for number in range(6_000):
        user, item = int(random.integers(20)), int(random.integers(20))
        if user == 0 and item in (4, 5):
            continue
        action = "click" if user % 2 == item % 2 else "exposure"
        events.append(event(action, f"u{user}", f"i{item}", f"r{number}"))
    matrix = fed(MatrixCompletion(RULES, 0.1, 0.001, uniform=0, seed=0), events)
    met = [f"i{item}" for item in range(20) if item not in (4, 5)]
    assert listed(matrix, "u0", 2, *met) == ["i4", "i5"]
    assert {int(item[1:]) % 2 for item in listed(matrix, "u1", 10)} == {1}

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from towers.users import KEPT_NEGATIVES, User, Users

_acts = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.5, 1.0, 2.0])), max_size=30)


@given(_acts, st.integers(1, 4))
def test_latest_items_are_distinct_newest_last_and_keep_their_greater_weight(
    acts: list[tuple[int, float]], history: int
) -> None:
    user = User()
    oracle: list[tuple[int, float]] = []
    for item, weight in acts:
        user.act(item, weight, history)
        weight = max([weight, *(old for other, old in oracle if other == item)])
        oracle = [*(pair for pair in oracle if pair[0] != item), (item, weight)][-history:]
    assert list(user.latest.items()) == oracle


@given(_acts, st.integers(0, 4))
def test_seen_items_are_distinct_and_bounded_and_keep_their_greater_weight(
    acts: list[tuple[int, float]], size: int
) -> None:
    user = User()
    oracle: list[tuple[int, float]] = []
    for item, weight in acts:
        user.see([item], size, weight - 0.5)  # some are only shown
        weight = max([weight - 0.5, *(old for other, old in oracle if other == item)])
        oracle = [*(pair for pair in oracle if pair[0] != item), (item, weight)]
        oracle = oracle[max(0, len(oracle) - size) :]
    assert list(user.seen.items()) == oracle


def test_older_context_does_not_replace_newer() -> None:
    user = User()
    assert user.learn_features({"city": "Rome", "age": "30"}, ts_ms=10)
    assert not user.learn_features({"city": "Oslo"}, ts_ms=9)
    assert user.learn_features({"city": "Bern"}, ts_ms=10)
    assert not user.learn_features({"city": "Bern"}, ts_ms=12)
    assert user.features == {"city": "Bern", "age": "30"}
    assert user.event_ts_ms == 12


def test_users_come_back_from_their_state() -> None:
    users = Users(9)
    full = users.of("full")
    full.act(3, 1.0, 20)
    full.act(1, 0.5, 20)
    full.see([7], 500)
    full.see([3], 500, 1.5)
    full.learn_features({"tags": ["a", "b"], "age": 3.5, "member": True}, 99)
    full.keys, full.weights = np.array([4, 5]), np.array([0.5, 1.5])
    for identity in range(KEPT_NEGATIVES + 3):
        full.pass_over({2**64 - 1 - identity: identity})
    users.of("bare")
    again = Users(9)
    again.load(users.state())
    assert again.ids() == ["full", "bare"]
    for user_id in again.ids():
        for name in ("latest", "seen", "negatives", "features", "event_ts_ms"):
            mine, theirs = getattr(again[user_id], name), getattr(users[user_id], name)
            assert mine == theirs
            assert list(mine) == list(theirs) if isinstance(mine, dict) else True
        np.testing.assert_array_equal(again[user_id].keys, users[user_id].keys)
        np.testing.assert_array_equal(again[user_id].weights, users[user_id].weights)
    assert len(full.negatives) == KEPT_NEGATIVES


def test_no_users_come_back_too() -> None:
    again = Users(9)
    again.load(Users(9).state())
    assert len(again) == 0


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 6))
def test_who_is_longest_without_a_sample_is_forgotten(samples: list[int], most: int) -> None:
    users, known, forgotten = Users(most), list[str](), list[str]()
    for number in samples:
        user_id = str(number)
        users.of(user_id).event_ts_ms += 1
        known = [other for other in known if other != user_id] + [user_id]
        forgotten += known[:-most]
        known = known[-most:]
    assert users.ids() == known
    assert users.take_forgotten() == forgotten
    assert users.take_forgotten() == []
    fewer = Users(1)
    fewer.load(users.state())
    assert (fewer.ids(), fewer.take_forgotten()) == (known[-1:], known[:-1])

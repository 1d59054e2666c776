from __future__ import annotations

import numpy as np
import pytest

from schemas.settings import Settings, TowerSettings, TrainerSettings
from towers.related import Related, view
from towers.users import User

_SETTINGS = Settings(
    trainer=TrainerSettings(paired_per_poll=1_000),
    towers=TowerSettings(similar_items=2, together_items=2, context_items=3),
)


def act(related: Related, user: User, item: int, weight: float = 1.0) -> None:
    related.act(user, item, weight)
    user.act(item, weight, 5)
    user.see([item], 100)


def test_marks_are_of_unseen_items_beside_the_trail_and_of_the_session() -> None:
    related = Related(_SETTINGS)
    for number in range(30):
        other = User()
        for item in [0, 1, 2 + number % 3]:
            act(related, other, item)
    user = User(features={"city": "a"})
    act(related, user, 1)
    act(related, user, 0)
    related.flush(60.0, 5)
    marks = related.marks(view(user), known=5)
    [(whole, _)] = related._similar.beside([[0, 1]], [np.zeros(0, np.int64)])
    assert set(whole.tolist()) == {0, 1, 2, 3, 4}
    rows, values = marks["similar"]
    assert set(rows.tolist()) <= {2, 3, 4}  # unseen, and above the weakest of the three
    assert (values > 0).all()
    rows, values = marks["together"]
    assert set(rows.tolist()) <= {2, 3, 4}
    assert (values > 0).all()
    assert marks["recent"][0].tolist() == [0, 1]
    assert marks["recent"][1].tolist() == pytest.approx([1.0, 0.8])
    assert marks["taken"][1].tolist() == [1.0, 1.0]
    assert sorted(marks["context:city"][0].tolist()) == [0, 1]
    known = related.marks(view(user), known=1)
    assert all((rows < 1).all() for rows, _ in known.values())


def test_as_much_of_what_is_passed_over_counts_as_is_acted_on() -> None:
    related = Related(_SETTINGS)
    user = User()
    for item in range(1, 4):
        related.pass_over(user, [item])  # nobody acted yet
        user.see([item], 100)
    act(related, user, 0)
    for item in range(4, 9):
        related.pass_over(user, [item])
        user.see([item], 100)
    related.flush(1.0, 9)
    totals = related._similar.state()["totals"].numpy()
    assert np.flatnonzero(totals[:9]).tolist() == [0, 4]
    assert related.state()["credit"] == 0
    totals = related._together.state()["totals"].numpy()
    assert np.flatnonzero(totals[:9]).tolist() == [0]  # of what was passed over nothing


def test_restored_it_lists_the_same() -> None:
    one, other = Related(_SETTINGS), Related(_SETTINGS)
    user = User(features={"city": "a"})
    for item in (3, 1, 2):
        act(one, user, item)
        one.flush(float(item), 4)
    other.load(one.state())
    stranger = User(features={"city": "a"})
    stranger.see([3], 100)
    for name, (rows, values) in one.marks(view(stranger), 4).items():
        there = other.marks(view(stranger), 4)[name]
        np.testing.assert_array_equal(rows, there[0])
        np.testing.assert_array_equal(values, there[1])


def test_none_listed_is_none_counted() -> None:
    related = Related(
        Settings(towers=TowerSettings(similar_items=0, together_items=0, context_items=0))
    )
    user = User(features={"city": "a"})
    act(related, user, 1)
    related.flush(1.0, 2)
    for lists in (related.similar, related.together):
        assert len(lists([view(user)])[0][0]) == 0
    assert related.context(user.features) == {}

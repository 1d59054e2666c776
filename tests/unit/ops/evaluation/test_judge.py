"""The protocol: what is known when a list is made, and what a rank is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ops.evaluation.judge import UNSEEN, judge
from ops.evaluation.models import MODELS, Setup
from ops.evaluation.recommender import Ask, Recommender
from ops.evaluation.stream import Before
from ops.evaluation.sync import LIVE
from schemas.events import Event, Item
from tests.unit.ops.evaluation.streams import SETTINGS, event, random_events, stream_of


class Told:
    """Lists what has arrived, newest first, and notes everything that it is told."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.asks: list[Ask] = []
        self.taken: list[Event] = []
        self.known_at: list[int] = []  # events taken before each list

    def recommend(self, ask: Ask) -> Sequence[str]:
        self.asks.append(ask)
        self.known_at.append(len(self.taken))
        return [item for item in reversed(self.items) if item not in ask.exclude][: ask.k]

    def arrive(self, items: Sequence[Item]) -> None:
        self.items += [item.item_id for item in items]

    def take(self, events: Sequence[Event]) -> None:
        self.taken += events


class Says(Told):
    """Gives the same list whatever is asked."""

    def __init__(self, items: list[str]) -> None:
        super().__init__()
        self._items = items

    def recommend(self, ask: Ask) -> Sequence[str]:
        return self._items


def test_ranks_candidates_and_ages_by_hand() -> None:
    events = [
        event("click", "u", "a", "1", 0),
        event("click", "v", "b", "2", 1_000),
        event("click", "v", "a", "3", 5_000),  # before it: b, a; b is v's own
        event("exposure", "u", "c", "4", 6_000),
        event("click", "u", "b", "5", 7_000),  # before it: c, b, a; a and c are u's own
        event("click", "v", "b", "6", 8_000),
    ]
    kept = judge(stream_of(events), Told(), exclude_own=False)
    assert kept.ranks.tolist() == [0, 0, 2, 2, 2]
    assert kept.candidates.tolist() == [0, 1, 2, 3, 3]
    assert kept.ages_ms.tolist() == [UNSEEN, UNSEEN, 5_000, 6_000, 7_000]
    assert kept.users.tolist() == [0, 1, 1, 0, 1]
    assert (kept.listed, kept.items) == (3, 3)
    own = judge(stream_of(events), Told(), exclude_own=True)
    assert own.ranks.tolist() == [0, 0, 1, 1, 0]
    assert own.candidates.tolist() == [0, 1, 1, 1, 1]


def test_nothing_of_a_request_is_known_when_its_list_is_made() -> None:
    events = random_events(60)
    told = Told()
    judge(stream_of(events), told, exclude_own=False)
    assert told.taken == events
    for ask, known in zip(told.asks, told.known_at, strict=True):
        before = {one.request_id for one in events[:known]}
        assert events[known].request_id not in before
        assert (ask.user_id, ask.ts_ms) == (events[known].user_id, events[known].ts_ms)


def test_a_click_is_judged_by_the_list_of_its_request() -> None:
    """Whatever came between, the click's own exposure included, moved the list too late."""
    events = [
        event("exposure", "u", "a", "1", 0),
        event("exposure", "u", "b", "2", 1_000),
        event("exposure", "u", "c", "3", 2_000),  # the list of request 3: b, a
        event("exposure", "v", "d", "4", 3_000),
        event("click", "u", "a", "3", 4_000),
        event("click", "u", "c", "3", 5_000),
        event("click", "u", "d", "3", 6_000),
    ]
    found = judge(stream_of(events), Told(), exclude_own=False)
    assert found.ranks.tolist() == [2, 0, 0]
    assert found.ages_ms.tolist() == [2_000, UNSEEN, UNSEEN]
    assert found.candidates.tolist() == [2, 2, 2]


def test_clicks_on_items_that_nobody_had_clicked_are_marked() -> None:
    events = [
        event("exposure", "u", "a", "1"),
        event("click", "u", "a", "2"),
        event("click", "v", "a", "3"),
        event("click", "v", "b", "4"),
        event("exposure", "u", "c", "5"),
        event("click", "u", "c", "6"),
    ]
    found = judge(stream_of(events), model("popularity"), exclude_own=False)
    assert found.unclicked.tolist() == [True, False, False, True]


@pytest.mark.parametrize("name", MODELS)
def test_items_that_come_once_are_never_found(name: str) -> None:
    """Any model that finds one was told of the click before it was asked."""
    events = [event("click", f"u{n % 3}", f"i{n}", f"r{n}", n * 1_000) for n in range(40)]
    stream = stream_of(events)
    found = judge(stream, model(name), exclude_own=False)
    assert not found.ranks.any()
    assert (found.ages_ms == UNSEEN).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_stream_cut_short_has_the_same_beginning(name: str) -> None:
    """What comes later changes no earlier rank."""
    events = random_events(60)
    whole = judge(stream_of(events), model(name), exclude_own=False)
    part = judge(stream_of(events[:120]), model(name), exclude_own=False)
    assert 0 < len(part.ranks) < len(whole.ranks)
    np.testing.assert_array_equal(part.ranks, whole.ranks[: len(part.ranks)])


@pytest.mark.parametrize("name", MODELS)
def test_own_items_are_excluded(name: str) -> None:
    found = judge(stream_of(random_events(60)), model(name), exclude_own=True)
    assert found.ranks.any()


@pytest.mark.parametrize("items", [["a", "a"], ["nobody"], ["a", "b"]])
def test_a_list_that_breaks_its_contract_is_refused(items: list[str]) -> None:
    events = [
        event("exposure", "u", "a", "1"),
        event("exposure", "v", "b", "2"),
        event("click", "u", "b", "3"),
    ]
    with pytest.raises(ValueError, match="a list holds"):
        judge(stream_of(events), Says(items), exclude_own=True)


def model(name: str) -> Recommender:
    earlier = [event("click", "w", f"i{n % 7}", f"w{n}", n) for n in range(20)]
    setup = Setup(SETTINGS, stream_of([]).features, LIVE, 0, Before(earlier, {}))
    return MODELS[name].build(setup)

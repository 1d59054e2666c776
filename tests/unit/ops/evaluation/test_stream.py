from __future__ import annotations

from schemas.events import Item
from tests.unit.ops.evaluation.streams import event, random_events, stream_of


def test_a_request_in_one_run() -> None:
    stream = stream_of(
        [
            event("exposure", "u", "a", "r"),
            event("exposure", "u", "b", "r"),
            event("click", "u", "b", "r"),
            event("like", "u", "b", "r"),
            event("exposure", "v", "a", "s"),
        ]
    )
    first, second = stream.runs()
    assert (first.opens, first.closes) == (True, True)
    assert [(one.action, one.item_id) for one in first.judged] == [("click", "b")]
    assert (second.opens, second.closes, second.judged) == (False, False, [])
    assert (stream.events, stream.clicks, stream.unknown_actions) == (5, 1, 0)


def test_a_request_whose_clicks_come_between_others() -> None:
    """The list is that of the request's beginning, whatever happens until the click."""
    stream = stream_of(
        [
            event("exposure", "u", "a", "r"),
            event("click", "v", "a", "s"),
            event("click", "u", "a", "r"),
            event("view", "v", "b", "t"),
            event("click", "u", "c", "r"),
            event("click", "u", "a", "r"),
        ]
    )
    runs = list(stream.runs())
    assert [(run.events[0].request_id, run.opens, run.closes) for run in runs] == [
        ("r", True, False),
        ("s", True, True),
        ("r", False, False),
        ("t", False, False),
        ("r", False, True),
    ]
    assert [[one.item_id for one in run.judged] for run in runs] == [[], ["a"], ["a"], [], ["c"]]
    assert stream.clicks == 3


def test_unknown_actions_are_counted_and_names_of_features_known() -> None:
    items = [Item("a", 0, features={"genre": "x"}), Item("b", 0, features={"year": 1})]
    events = [
        event("click", "u", "a", city="Oslo"),
        event("teleport", "u", "a", mood="odd"),
        event("click", "u", "c"),
    ]
    stream = stream_of(events, items)
    assert (stream.events, stream.unknown_actions, stream.clicks) == (2, 1, 2)
    assert stream.features == (frozenset({"genre", "year"}), frozenset({"city"}))
    assert stream.item("a", 5) == items[0]
    assert stream.item("c", 5) == Item("c", 5)


def test_a_limit_counts_events() -> None:
    assert stream_of([event("click", "u", str(n)) for n in range(9)], limit=4).clicks == 4


def test_every_event_comes_once_and_every_reading_is_the_same() -> None:
    events = random_events(50)
    stream = stream_of(events)
    first, second = list(stream.runs()), list(stream.runs())
    assert first == second
    assert [one for run in first for one in run.events] == events
    assert sum(len(run.judged) for run in first) == stream.clicks

"""Walks a stream once: ranks each request before anything of it is known, then tells what it was.

The protocol, which docs/evaluation.md states for readers:

- Events come in the data set's order, in one pass, without sampling.
- A list is asked for at the moment of a request, before its first event is taken in; every
  positive of the request is judged against that list. So a click is ranked before it is learned,
  and before the exposures of its own request are counted.
- Candidates are all items that an earlier request has named, less the user's own ones where
  `exclude_own` is set. An item that no earlier request has named is a miss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ops.evaluation.recommender import Ask, Recommender
from ops.evaluation.stream import Stream
from schemas.events import Event

DEPTH = 200
"""Items that each list is asked for."""
UNSEEN = -1
"""Age of an item that no earlier request has named."""

_COVERED = 10

Ints = npt.NDArray[np.int64]


_UNKNOWN: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)


class Judged(NamedTuple):
    """What came of each judged positive, in order; every array counts positives first."""

    ranks: Ints
    """Place in the list from 1; 0 when it was not among the first `DEPTH`."""
    candidates: Ints
    """Items that the list could be drawn from."""
    ages_ms: Ints
    """Event time since the item was first named; `UNSEEN` when it was not."""
    users: Ints
    """Users by number, in order of their first judged positive."""
    listed: int
    """Distinct items that were within the first 10 of some list."""
    items: int
    """Items named by the end."""
    unclicked: npt.NDArray[np.bool_] = _UNKNOWN
    """The item was named, and nobody had clicked it."""


class _List(NamedTuple):
    places: dict[str, int]
    """From 1, by item."""
    ts_ms: int
    named: int
    """Items that were named when it was made."""
    candidates: int


class _World:
    """What has been named so far, and by whom."""

    def __init__(self) -> None:
        self.arrived: dict[str, tuple[int, int]] = {}  # (number, first seen in ms) by item
        self.clicked: set[str] = set()
        self.own: dict[str, dict[str, None]] = {}
        self.users: dict[str, int] = {}

    def take(self, events: list[Event]) -> list[Event]:
        """The users meet the items; returns the first event of each item that is new."""
        new = []
        for event in events:
            if event.item_id not in self.arrived:
                self.arrived[event.item_id] = len(self.arrived), event.ts_ms
                new.append(event)
            self.own.setdefault(event.user_id, {})[event.item_id] = None
        return new


def judge(
    stream: Stream,
    recommender: Recommender,
    exclude_own: bool,
    advance: Callable[[int], None] = lambda events: None,
) -> Judged:
    """Evaluate one recommender over the stream; `advance` is told how many events were taken.

    Raises ValueError when a list holds an item twice, too many, or one that is no candidate.
    """
    world, lists = _World(), dict[str, _List]()
    found: list[tuple[int, int, int, int, int]] = []
    listed: set[str] = set()
    for run in stream.runs():
        request_id = run.events[0].request_id
        if run.opens:
            made = lists[request_id] = _ask(recommender, world, run.events[0], exclude_own)
            listed.update(item_id for item_id, place in made.places.items() if place <= _COVERED)
        found.extend(_verdict(lists[request_id], world, event) for event in run.judged)
        if run.closes:
            del lists[request_id]
        new = world.take(run.events)
        world.clicked.update(event.item_id for event in run.judged)
        if new:
            recommender.arrive([stream.item(event.item_id, event.ts_ms) for event in new])
        recommender.take(run.events)
        advance(len(run.events))
    columns = np.array(found, np.int64).reshape(len(found), 5).T
    ranks, candidates, ages_ms, users, clicked = columns
    unclicked = (clicked == 0) & (ages_ms >= 0)
    return Judged(ranks, candidates, ages_ms, users, len(listed), len(world.arrived), unclicked)


def _ask(recommender: Recommender, world: _World, first: Event, exclude_own: bool) -> _List:
    exclude = list(world.own.get(first.user_id, ())) if exclude_own else []
    items = recommender.recommend(Ask(first.user_id, first.ts_ms, first.context, DEPTH, exclude))
    places = {item_id: place for place, item_id in enumerate(items, start=1)}
    wrong = not places.keys() <= world.arrived.keys() or not places.keys().isdisjoint(exclude)
    if wrong or len(places) < len(items) or len(items) > DEPTH:
        msg = f"a list holds at most {DEPTH} candidates, each once; got {items}; see Recommender"
        raise ValueError(msg)
    named = len(world.arrived)
    return _List(places, first.ts_ms, named, named - len(exclude))


def _verdict(made: _List, world: _World, event: Event) -> tuple[int, int, int, int, int]:
    """Rank, candidates, age and user, as `Judged` has them, and whether it was clicked before."""
    number, first_ms = world.arrived.get(event.item_id, (made.named, 0))
    age_ms = max(0, made.ts_ms - first_ms) if number < made.named else UNSEEN
    user = world.users.setdefault(event.user_id, len(world.users))
    clicked = event.item_id in world.clicked
    return made.places.get(event.item_id, 0), made.candidates, age_ms, user, clicked

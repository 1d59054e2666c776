"""What few items have of a user's score: similar to the last ones, and taken where the user is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np

from schemas.events import FeatureValue
from schemas.score import CONTEXT, SIMILAR, TOGETHER, session_marks
from schemas.settings import Settings
from towers.arrays import Doubles, Ints, State, ints
from towers.context_trend import ContextTrend
from towers.listing import above_the_rest
from towers.similar import ALIKE, NEXT, TRAIL, CoOccurrence
from towers.users import User

_MOST_CREDIT = 256

RowMarks = dict[str, tuple[Ints, Doubles]]
"""By signal: the rows of the few items that have any of it, distinct, and what they have."""


class View(NamedTuple):
    """What of a user decides the lists, as it was at one moment."""

    trail: list[int]
    """The newest items that the user acted on or passed over, newest first."""
    latest: list[int]
    """Items acted upon, newest first."""
    actions: list[float]
    """Their weights."""
    seen: Ints
    features: Mapping[str, FeatureValue]


def view(user: User) -> View:
    """Of the user now; what happens next does not change it."""
    latest, actions = list(user.latest), list(user.latest.values())
    return View(_trail(user), latest[::-1], actions[::-1], ints(user.seen), user.features)


class Related:
    """Co-occurrence and trends within the context, and the lists of both for a user.

    Of what users passed over, as many items as they acted on are counted to occur with what came
    before: long lists would else cost more than all learning, and tell less, as who is listed
    beside whom is the recommender's choice.

    What is added is counted by `flush`, and in no list before.
    """

    def __init__(self, settings: Settings) -> None:
        towers = settings.towers
        self._listed = towers.similar_items
        self._similar = CoOccurrence(towers.similar_partners, NEXT)
        self._listed_together = towers.together_items
        self._together = CoOccurrence(towers.similar_partners, ALIKE)
        self._context = ContextTrend(
            settings.features.users, towers.context_items, towers.context_values
        )
        self._acts: list[tuple[Mapping[str, FeatureValue], int, float]] = []
        self._credit = 0

    def act(self, user: User, item: int, weight: float) -> None:
        """The user takes or looks at the item, and is not known yet to have seen it this time."""
        self._credit = min(self._credit + 1, _MOST_CREDIT)
        self._acts.append((user.features, item, weight))
        if self._listed:
            self._similar.add(_trail(user), item)
        if self._listed_together:
            self._together.add(list(reversed(user.latest)), item)

    def pass_over(self, user: User, item: int) -> None:
        """The user was shown the item, and is not known yet to have seen it."""
        if self._listed and self._credit:
            self._credit -= 1
            self._similar.add(_trail(user), item)

    def flush(self, clock: float, items: int) -> None:
        """Count what was added, as of this clock; `items` are known."""
        acts, self._acts = self._acts, []
        for features, item, weight in acts:
            self._context.add(features, item, weight)
        self._similar.flush(clock, items)
        self._together.flush(clock, items)

    def similar(self, view: View) -> tuple[Ints, Doubles]:
        """Unseen items that come next where the last ones were: at most `similar_items`."""
        return _best_unseen(view, *self._similar.beside(view.trail), self._listed)

    def together(self, view: View) -> tuple[Ints, Doubles]:
        """Unseen items that others took with the user's history: at most `together_items`."""
        found = self._together.beside(view.latest, view.actions)
        return _best_unseen(view, *found, self._listed_together)

    def context(self, features: Mapping[str, FeatureValue]) -> dict[str, tuple[Ints, Doubles]]:
        """By feature, what is taken where it has that value: at most `context_items` each."""
        return self._context.listed(features)

    def marks(self, view: View, known: int) -> RowMarks:
        """All that the first `known` items have of this user's score, but for cosine and biases."""
        marks = {SIMILAR: self.similar(view), TOGETHER: self.together(view)}
        for name, found in self.context(view.features).items():
            marks[CONTEXT + name] = found
        for name, session in session_marks(view.latest).items():
            marks[name] = (
                np.fromiter(session, np.int64, len(session)),
                np.fromiter(session.values(), np.float64, len(session)),
            )
        return {
            name: (rows[rows < known], values[rows < known])
            for name, (rows, values) in marks.items()
        }

    def state(self) -> State:
        """For a checkpoint, of what was counted."""
        return {
            "similar": self._similar.state(),
            "together": self._together.state(),
            "context": self._context.state(),
            "credit": self._credit,
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._similar.load(state["similar"])
        self._together.load(state["together"])
        self._context.load(state["context"])
        self._credit = state["credit"]


def _best_unseen(view: View, rows: Ints, values: Doubles, count: int) -> tuple[Ints, Doubles]:
    if not len(rows):
        return rows, values
    seen = np.zeros(1 + int(rows.max()), np.bool_)
    seen[view.seen[view.seen < len(seen)]] = True
    unseen = ~seen[rows]
    rows, values = rows[unseen], values[unseen]
    places, above = above_the_rest(values, count)
    return rows[places], above


def _trail(user: User) -> list[int]:
    """The newest items that the user acted on or passed over, newest first."""
    return list(islice(reversed(user.seen), TRAIL))

"""What few items have of a user's score: beside those acted upon, and taken where the user is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from schemas.events import FeatureValue
from schemas.score import CONTEXT, PAIRS, SIMILAR, TOGETHER, session_marks
from schemas.settings import Settings
from towers.arrays import Doubles, Ints, State, ints
from towers.context_trend import ContextTrend
from towers.listing import above_the_rest, strongest
from towers.pairs import Pairs, Past
from towers.similar import ALIKE, NEXT, TRAIL, CoOccurrence
from towers.sparse_sums import Listed
from towers.users import User

_MOST_CREDIT = 256

RowMarks = dict[str, Listed]
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
    past: Past
    """Those seen that were acted upon."""
    features: Mapping[str, FeatureValue]


def view(user: User) -> View:
    """Of the user now; what happens next does not change it."""
    latest, actions = list(user.latest), list(user.latest.values())
    seen, weights = ints(user.seen), np.fromiter(user.seen.values(), np.float64, len(user.seen))
    acted = np.flatnonzero(weights)[::-1]
    past = Past(seen[acted], weights[acted])
    return View(_trail(user), latest[::-1], actions[::-1], seen, past, user.features)


class Related:
    """Co-occurrence, learned pairs and trends within the context, and a user's lists of them.

    Of what users passed over, as many items as they acted on are counted to occur with what came
    before: long lists would else cost more than all learning, and tell less, as who is listed
    beside whom is the recommender's choice.

    What is added is counted by `flush`, and in no list before.
    """

    def __init__(self, settings: Settings) -> None:
        towers, at_once = settings.towers, settings.trainer.paired_per_poll
        self._listed = towers.similar_items
        self._similar = CoOccurrence(towers.similar_partners, NEXT, at_once=at_once)
        self._listed_together = towers.together_items
        self._together = CoOccurrence(towers.similar_partners, ALIKE, at_once=at_once)
        self._listed_pairs = towers.pair_items
        self.pairs = Pairs(towers.pairs, towers.pair_history)
        """Learned by who knows what the score had wrong."""
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

    def pass_over(self, user: User, items: Sequence[int]) -> None:
        """The user was shown the items in this order, and is not known yet to have seen them."""
        if self._listed:
            counted = items[: self._credit]
            self._credit -= len(counted)
            trail = _trail(user)
            for item in counted:
                self._similar.add(trail, item)
                trail = [item, *trail][:TRAIL]

    def flush(self, clock: float, items: int) -> None:
        """Count what was added, as of this clock; `items` are known."""
        acts, self._acts = self._acts, []
        for features, item, weight in acts:
            self._context.add(features, item, weight)
        self._similar.flush(clock, items)
        self._together.flush(clock, items)

    def similar(self, views: Sequence[View]) -> list[Listed]:
        """Of each, unseen items that come next after the last ones: at most `similar_items`."""
        seen = [one.seen for one in views]
        found = self._similar.beside([one.trail for one in views], seen)
        return [_best(*one, self._listed) for one in found]

    def together(self, views: Sequence[View]) -> list[Listed]:
        """Of each, unseen items that others took with the history: at most `together_items`.

        Their square root: twice as often together is less than twice as telling.
        """
        latest, seen = [one.latest for one in views], [one.seen for one in views]
        found = self._together.beside(latest, seen, [one.actions for one in views])
        best = (_best(*one, self._listed_together) for one in found)
        return [(rows, np.sqrt(above)) for rows, above in best]

    def paired(self, views: Sequence[View]) -> list[Listed]:
        """Of each, unseen items that what was acted upon tells most of: at most `pair_items`."""
        found = [self.pairs.of(one.past, one.seen) for one in views]
        return [strongest(one, self._listed_pairs) for one in found]

    def context(self, features: Mapping[str, FeatureValue]) -> dict[str, Listed]:
        """By feature, what is taken where it has that value: at most `context_items` each."""
        return self._context.listed(features)

    def within(self, value: str) -> Listed:
        """What is taken where a context has the value, `feature=value`: `context_items` at most."""
        return self._context.within(value)

    def take_changed_contexts(self) -> list[str]:
        """Values whose lists changed since the last call; all of them after `load`."""
        return self._context.take_changed()

    def marks(self, view: View, known: int) -> RowMarks:
        """All that the first `known` items have of this user's score, but for cosine and biases."""
        one = [view]
        [similar], [together], [paired] = self.similar(one), self.together(one), self.paired(one)
        marks = {SIMILAR: similar, TOGETHER: together, PAIRS: paired}
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
            "pairs": self.pairs.state(),
            "context": self._context.state(),
            "credit": self._credit,
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._similar.load(state["similar"])
        self._together.load(state["together"])
        self.pairs.load(state["pairs"])
        self._context.load(state["context"])
        self._credit = state["credit"]


def _best(rows: Ints, values: Doubles, count: int) -> Listed:
    places, above = above_the_rest(values, count)
    return rows[places], above


def _trail(user: User) -> list[int]:
    """The newest items that the user acted on or passed over, newest first."""
    return list(islice(reversed(user.seen), TRAIL))

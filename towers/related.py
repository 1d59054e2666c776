"""What few items have of a user's score: similar to the last ones, and taken where the user is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np

from schemas.events import FeatureValue
from schemas.score import CONTEXT, SIMILAR, session_marks
from schemas.settings import Settings
from towers.arrays import Doubles, Ints, State
from towers.context_trend import ContextTrend
from towers.listing import above_the_rest
from towers.similar import TRAIL, CoOccurrence
from towers.users import User

_MOST_CREDIT = 256

RowMarks = dict[str, tuple[Ints, Doubles]]
"""By signal: the rows of the few items that have any of it, distinct, and what they have."""


class Related:
    """Co-occurrence and trends within the context, and the lists of both for a user.

    Of what users passed over, as many items as they acted on are counted to occur with what came
    before: long lists would else cost more than all learning, and tell less, as who is listed
    beside whom is the recommender's choice.
    """

    def __init__(self, settings: Settings) -> None:
        towers = settings.towers
        self._listed = towers.similar_items
        self._similar = CoOccurrence(towers.similar_partners)
        self._context = ContextTrend(
            settings.features.users, towers.context_items, towers.context_values
        )
        self._credit = 0

    def act(self, user: User, item: int, weight: float) -> None:
        """The user takes or looks at the item, and is not known yet to have seen it this time."""
        self._credit = min(self._credit + 1, _MOST_CREDIT)
        self._context.add(user.features, item, weight)
        if self._listed:
            self._similar.add(_trail(user), item)

    def pass_over(self, user: User, item: int) -> None:
        """The user was shown the item, and is not known yet to have seen it."""
        if self._listed and self._credit:
            self._credit -= 1
            self._similar.add(_trail(user), item)

    def flush(self, clock: float, items: int) -> None:
        """Count what was added, as of this clock; `items` are known."""
        self._similar.flush(clock, items)

    def similar(self, user: User) -> tuple[Ints, Doubles]:
        """Unseen items that occur with the user's last ones: at most `similar_items`."""
        rows, values = self._similar.beside(_trail(user))
        seen = user.seen
        unseen = np.array([row not in seen for row in rows.tolist()], np.bool_)
        rows, values = rows[unseen], values[unseen]
        places, above = above_the_rest(values, self._listed)
        return rows[places], above

    def context(self, features: Mapping[str, FeatureValue]) -> dict[str, tuple[Ints, Doubles]]:
        """By feature, what is taken where it has that value: at most `context_items` each."""
        return self._context.listed(features)

    def marks(self, user: User, known: int) -> RowMarks:
        """All that the first `known` items have of this user's score, but for cosine and biases."""
        marks = {SIMILAR: self.similar(user)}
        for name, found in self.context(user.features).items():
            marks[CONTEXT + name] = found
        for name, session in session_marks(reversed(user.latest)).items():
            marks[name] = (
                np.fromiter(session, np.int64, len(session)),
                np.fromiter(session.values(), np.float64, len(session)),
            )
        return {
            name: (rows[rows < known], values[rows < known])
            for name, (rows, values) in marks.items()
        }

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "similar": self._similar.state(),
            "context": self._context.state(),
            "credit": self._credit,
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._similar.load(state["similar"])
        self._context.load(state["context"])
        self._credit = state["credit"]


def _trail(user: User) -> list[int]:
    """The newest items that the user acted on or passed over, newest first."""
    return list(islice(reversed(user.seen), TRAIL))

"""Baselines that know no user: random, and popularity of several kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ops.evaluation.ranking import Doubles, ItemRows
from ops.evaluation.recommender import Ask
from schemas.events import EXPOSURE, Event, Item
from schemas.settings import LabellingSettings


class Random:
    """Candidates in random order: recall at k is expected to be k / candidates."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._items = ItemRows()

    def recommend(self, ask: Ask) -> list[str]:
        """See `Recommender`."""
        return self._items.best(self._random.random(len(self._items)), ask)

    def arrive(self, items: Sequence[Item]) -> None:
        """See `Recommender`."""
        self._items.add(items)

    def take(self, events: Sequence[Event]) -> None:
        """Nothing is learned."""


Counted = Callable[[Event], float]
"""How much an event counts for its item; 0 for not at all."""


class Popularity:
    """Items by how often they were clicked or shown, the older the less.

    A count halves with every `half_life` positives of anyone; None never forgets.
    """

    def __init__(
        self, rules: LabellingSettings, counted: Counted, half_life: float | None = None
    ) -> None:
        self._rules = rules
        self._counted = counted
        self._fade = 1.0 if half_life is None else 2 ** (-1 / half_life)
        self._items = ItemRows()
        self._counts: Doubles = np.zeros(0)

    def recommend(self, ask: Ask) -> list[str]:
        """See `Recommender`."""
        return self._items.best(self._counts.copy(), ask)

    def arrive(self, items: Sequence[Item]) -> None:
        """See `Recommender`."""
        self._items.add(items)
        self._counts = np.pad(self._counts, (0, len(items)))

    def take(self, events: Sequence[Event]) -> None:
        """See `Recommender`."""
        for event in events:
            if event.action in self._rules.positives:
                self._counts *= self._fade
            self._counts[self._items.row(event.item_id)] += self._counted(event)


def clicks(rules: LabellingSettings) -> Counted:
    """Positives count as much as they weigh."""
    return lambda event: rules.positives.get(event.action, 0.0)


def exposures(event: Event) -> float:
    """Each time that an item is shown counts 1."""
    return float(event.action == EXPOSURE)

"""What is taken where a user is: decayed counts within each value of the context's features."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

import numpy as np

from schemas.contexts import context_values
from schemas.events import FeatureValue
from schemas.score import bias
from schemas.settings import FeatureKind
from towers.arrays import Doubles, Ints, State, ints, packed, unpacked
from towers.listing import above_the_rest

_HALF_LIFE = 1_000.0
"""In what was taken within the same value: a small town's counts last as long as a city's."""
_RENORMALISE = 64.0  # half-lives
_ROOM = 4  # times the listed items are counted, before the weakest are dropped


class ContextTrend:
    """Counts by feature, value and item: of the latest `values`, each of at most 8 `items`.

    What is a value, `schemas.contexts` says. One that nobody had for longest is forgotten first,
    and within a value the items that are taken least.
    """

    def __init__(self, kinds: Mapping[str, FeatureKind], items: int, values: int) -> None:
        self._kinds = kinds
        self._items = items
        self._values = values
        self._counts: OrderedDict[str, dict[int, float]] = OrderedDict()  # newest last
        self._clocks: dict[str, float] = {}
        """Taken within the value since its landmark."""
        self._best: dict[str, tuple[Ints, Doubles]] = {}
        """What was listed of a value since it was last added to."""
        self._changed: dict[str, None] = {}

    def add(self, context: Mapping[str, FeatureValue], item: int, weight: float) -> None:
        """A user of that context took or looked at the item."""
        for _, key in self._keys(context):
            counts = self._counts.setdefault(key, {})
            self._counts.move_to_end(key)
            self._best.pop(key, None)
            self._changed[key] = None
            clock = self._clocks.get(key, 0.0) + weight
            if clock > _RENORMALISE * _HALF_LIFE:
                clock -= _RENORMALISE * _HALF_LIFE
                counts = self._counts[key] = {
                    row: count * 2**-_RENORMALISE for row, count in counts.items()
                }
            self._clocks[key] = clock
            counts[item] = counts.get(item, 0.0) + weight * 2 ** (clock / _HALF_LIFE)
            if len(counts) > 2 * _ROOM * self._items:
                best = sorted(counts, key=lambda row: -counts[row])[: _ROOM * self._items]
                self._counts[key] = {row: counts[row] for row in best}
        while len(self._counts) > self._values:
            forgotten, _ = self._counts.popitem(last=False)
            del self._clocks[forgotten]
            self._changed[forgotten] = None
            self._best.pop(forgotten, None)

    def listed(self, context: Mapping[str, FeatureValue]) -> dict[str, tuple[Ints, Doubles]]:
        """By feature: the items most taken within the user's value, and the signal of each."""
        found: dict[str, tuple[Ints, Doubles]] = {}
        for name, key in self._keys(context):
            if key in self._counts and name not in found:  # of several categories the first known
                found[name] = self.within(key)
        return found

    def within(self, key: str) -> tuple[Ints, Doubles]:
        """The items most taken within a value, and the signal of each; none where it is unknown."""
        if key not in self._counts:
            return ints(()), np.zeros(0)
        if key not in self._best:
            self._best[key] = self._listed(key)
        return self._best[key]

    def take_changed(self) -> list[str]:
        """Values whose lists changed since the last call; all of them after `load`."""
        changed, self._changed = self._changed, {}
        return [*changed]

    def _listed(self, key: str) -> tuple[Ints, Doubles]:
        counts = self._counts[key]
        rows = ints(counts)
        growth = 2 ** (self._clocks[key] / _HALF_LIFE)
        values = bias(np.fromiter(counts.values(), np.float64, len(counts)) / growth)
        places, above = above_the_rest(values, self._items)
        return rows[places], above

    def _keys(self, context: Mapping[str, FeatureValue]) -> Iterable[tuple[str, str]]:
        return context_values(context, self._kinds) if self._items else ()

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "values": packed(list(self._counts)),
            "rows": packed([list(counts) for counts in self._counts.values()]),
            "counts": packed([list(counts.values()) for counts in self._counts.values()]),
            "clocks": packed([self._clocks[key] for key in self._counts]),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        keys = unpacked(state["values"], list[str])
        rows = unpacked(state["rows"], list[list[int]])
        counts = unpacked(state["counts"], list[list[float]])
        self._counts = OrderedDict(
            (key, dict(zip(row, count, strict=True)))
            for key, row, count in zip(keys, rows, counts, strict=True)
        )
        self._clocks = dict(zip(keys, unpacked(state["clocks"], list[float]), strict=True))
        self._best = {}
        self._changed = dict.fromkeys(keys)

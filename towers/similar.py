"""Which items occur together: for each item the partners that users came to next, with decay."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from schemas.score import RECENT_DECAY
from towers.arrays import Doubles, Ints, State, array_of, grown, ints, tensor_of
from towers.sparse_sums import Listed, SparseSums

TRAIL = 12
"""Latest items of a user that a new one comes next to."""

_RENORMALISE = 64.0  # half-lives after which the landmark moves up
_HALF_LIFE = 50_000.0
_BLOCK = 16  # trails in one pass
_NONE = -1


class Manner(NamedTuple):
    """What counts as occurring together."""

    decay: float
    """How much less with each item in between, in what is counted and of whom it is asked."""
    back: float
    """What came before an item tells so much of it as what came after."""
    scale: float
    """Brings the signal near 1."""


NEXT = Manner(RECENT_DECAY, 0.3, 5.0)
"""What comes next, within a session."""
ALIKE = Manner(0.97, 1.0, 1.0)
"""What the same users take, over as long as their history is."""


class CoOccurrence:
    """Decayed counts of pairs, bounded to so many partners of each item.

    An item that comes k items after another counts `decay`^(k - 1) for that pair, and `back` of it
    for the pair turned round. A partner that finds no place takes that of the weakest with
    the probability weight / (weight + weakest), and their sum (randomised admission: Ben Basat et
    al., INFOCOM 2017): so what is counted can't be ousted by what comes once. Chance is a hash of
    the pair and the clock. Of more than `at_once` at once, so many are drawn and stand for all:
    where items come that fast, a sample tells as much. Memory: 12 bytes a partner and 20
    an item, of all items known.
    """

    def __init__(
        self,
        partners: int,
        manner: Manner,
        half_life: float = _HALF_LIFE,
        at_once: int = 1_000,
    ) -> None:
        self._at_once = at_once
        self._manner = manner
        self._half_life = half_life
        self._partners = np.full((0, partners), _NONE, np.int32)  # (items, partners)
        self._counts: Doubles = np.zeros((0, partners))
        self._totals: Doubles = np.zeros(0)
        self._sums = SparseSums()
        self._items = 0
        self._landmark = 0.0
        self._clock = 0.0
        self._pending: list[tuple[list[int], int]] = []

    def add(self, trail: list[int], item: int) -> None:
        """The user came to the item after those of the trail, newest first; counted by `flush`."""
        self._pending.append((trail, item))

    def flush(self, clock: float, items: int) -> None:
        """Count what was added, as of this clock; `items` are known."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        self._go_to(clock)
        self._reserve(items)
        grown_one = self._growth()
        if len(pending) > self._at_once:
            drawn = np.random.default_rng(int(clock)).choice(
                len(pending), self._at_once, replace=False
            )
            grown_one *= len(pending) / self._at_once
            pending = [pending[place] for place in np.sort(drawn).tolist()]
        named = ints(item for _, item in pending)
        np.add.at(self._totals, named, grown_one)
        lengths = ints(len(trail) for trail, _ in pending)
        before = ints(chain.from_iterable(trail for trail, _ in pending))
        after = np.repeat(named, lengths)
        ages = np.arange(len(before)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        weights = grown_one * self._manner.decay**ages
        other = before != after
        before, after, weights = before[other], after[other], weights[other]
        self._count(
            np.concatenate([before, after]),
            np.concatenate([after, before]),
            np.concatenate([weights, self._manner.back * weights]),
        )

    def beside(
        self,
        trails: Sequence[list[int]],
        hidden: Sequence[Ints],
        actions: Sequence[list[float]] | None = None,
    ) -> list[Listed]:
        """For each trail, items that occur with those on it, newest first, and how much.

        Sum over the trail of action * decay^age * count / sqrt((1 + n) (1 + n')), where n and n'
        say how often the one and the other item came. Without the `hidden` items of each, by row.
        actions: weights of each trail's items, 1 if there are none.
        """
        found: list[Listed] = []
        for start in range(0, len(trails), _BLOCK):
            some = slice(start, start + _BLOCK)
            found += self._beside(trails[some], hidden[some], actions and actions[some])
        return found

    def _beside(
        self,
        trails: Sequence[list[int]],
        hidden: Sequence[Ints],
        actions: Sequence[list[float]] | None,
    ) -> list[Listed]:
        growth = self._growth()
        lengths = ints(map(len, trails))
        rows = ints(chain.from_iterable(trails))
        owners = np.repeat(np.arange(len(trails)), lengths)
        ages = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        old = rows < self._items
        rows, owners, ages = rows[old], owners[old], ages[old]
        shares = self._manner.decay**ages / np.sqrt(1 + self._totals[rows] / growth)  # (rows,)
        if actions:
            shares *= np.fromiter(chain.from_iterable(actions), np.float64)[old]
        # Most places of most items are empty, and nothing is done for those.
        partners = self._partners[rows]  # (rows, partners)
        taken = np.flatnonzero(partners != _NONE)
        own = taken // partners.shape[1]  # the row of each
        values = self._counts[rows].ravel()[taken] * (shares / growth)[own]
        items = partners.ravel()[taken].astype(np.int64)
        ends = np.searchsorted(owners[own], np.arange(len(trails) + 1))
        found = []
        for (i, j), unwanted in zip(pairwise(ends.tolist()), hidden, strict=True):
            others, sums = self._sums.of(items[i:j], values[i:j], unwanted, self._items)
            norms = np.sqrt(1 + self._totals[others] / growth)
            found.append((others, self._manner.scale * sums / norms))
        return found

    def _count(self, rows: Ints, partners: Ints, weights: Doubles) -> None:
        """Add weights to pairs, each named any number of times."""
        width = np.int64(len(self._totals))
        pairs, places = np.unique(rows * width + partners, return_inverse=True)
        weights = np.asarray(np.bincount(places, weights, len(pairs)), np.float64)
        rows, partners = pairs // width, pairs % width
        found = self._partners[rows] == partners[:, None].astype(np.int32)  # (pairs, partners)
        columns = found.argmax(axis=1)
        known = found[np.arange(len(rows)), columns]
        self._counts[rows[known], columns[known]] += weights[known]
        self._admit(rows[~known], partners[~known], weights[~known])

    def _admit(self, rows: Ints, partners: Ints, weights: Doubles) -> None:
        """New pairs, by row: one after the other, each tries the place of its row's weakest."""
        begins = np.flatnonzero(np.diff(rows, prepend=_NONE))  # of each row's pairs
        ranks = np.arange(len(rows)) - np.repeat(begins, np.diff(begins, append=len(rows)))
        admits = self._chance(rows, partners)
        for rank in range(int(ranks.max(initial=_NONE)) + 1):
            turn = np.flatnonzero(ranks == rank)  # one pair of each row that has so many
            owners = rows[turn]
            columns = self._counts[owners].argmin(axis=1)
            weakest = self._counts[owners, columns]
            admitted = admits[turn] * (weights[turn] + weakest) < weights[turn]
            turn, owners, columns = turn[admitted], owners[admitted], columns[admitted]
            self._partners[owners, columns] = partners[turn]
            self._counts[owners, columns] += weights[turn]

    def _chance(self, rows: Ints, partners: Ints) -> Doubles:
        """(pairs,): even numbers in [0, 1), by splitmix64 of the pair and the clock."""
        mixed = (rows << np.int64(32) | partners).astype(np.uint64) + np.uint64(self._clock)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        chance: Doubles = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2.0**53
        return chance

    def _go_to(self, clock: float) -> None:
        self._clock = clock
        while clock - self._landmark > _RENORMALISE * self._half_life:
            self._landmark += _RENORMALISE * self._half_life
            self._counts *= 2**-_RENORMALISE
            self._totals *= 2**-_RENORMALISE

    def _growth(self) -> float:
        return float(2 ** ((self._clock - self._landmark) / self._half_life))

    def _reserve(self, items: int) -> None:
        known = len(self._totals)
        self._items = max(self._items, items)
        if items > known:
            self._totals = grown(self._totals, items)
            self._counts = grown(self._counts, items)
            self._partners = grown(self._partners, items)
            self._partners[known:] = _NONE

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "partners": tensor_of(self._partners[: self._items]),
            "counts": tensor_of(self._counts[: self._items]),
            "totals": tensor_of(self._totals[: self._items]),
            "landmark": self._landmark,
            "clock": self._clock,
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._partners = array_of(state["partners"]).astype(np.int32)
        self._counts = array_of(state["counts"])
        self._totals = array_of(state["totals"])
        self._items = len(self._totals)
        self._landmark, self._clock = state["landmark"], state["clock"]

"""What one item that a user took says for or against another, learned where the score was wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from towers.arrays import Doubles, Floats, Ints, State, array_of, tensor_of
from towers.sparse_sums import Listed, SparseSums

MOST_PARTNERS, FEWEST_PARTNERS = 512, 16
"""Of an item, while few items are known and when many are."""

_DECAY = 0.98  # how much less each item of the past tells than the one after it
_RATE = 0.3
_ADMITTED = 4  # items that one step may make new pairs with
_FIRST_CAPACITY = 1_024


class Past(NamedTuple):
    """Items that a user took or looked at, distinct, newest first."""

    rows: Ints
    actions: Doubles
    """Weights of the actions."""


class Pairs:
    """Weights of pairs of items, the linear part of the score; bounded in memory.

    An item's signal is the sum over the user's past of decay^age * action * weight of the pair,
    the past being scaled to at most length 1: an item-to-item linear model (SLIM: Ning & Karypis,
    ICDM 2011), learned online. A step takes the gradient of the softmax that the score's weights
    learn from, as if this signal's own weight were 1: so pairs learn what all other signals
    together get wrong, up or down.

    Of `most` pairs in all each item has the same share, at least 16 and at most 512 at 8 bytes,
    so with few items every pair finds a place. Else a new pair takes the place of the weakest with
    the probability |new| / (|new| + |weakest|), and begins as its first step makes it.
    """

    def __init__(self, most: int, history: int) -> None:
        self._most = most
        self._history = history
        self._partners = np.zeros((0, 0), np.int32)  # (items, width): row + 1, 0 for none
        self._weights: Floats = np.zeros((0, 0), np.float32)
        self._used = 0  # columns in which there is any pair
        self._items = 0
        self._sums = SparseSums()
        self._surprises: Floats = np.zeros(0, np.float32)  # (1 + items,), zeros
        self._chosen = np.zeros(0, np.bool_)  # (1 + items,), False

    def of(self, past: Past, unwanted: Ints) -> Listed:
        """Items that the past tells anything of, for or against, without the unwanted ones."""
        rows, shares = self._shares(past)
        partners = self._partners[rows, : self._used]  # (past, used)
        weights = self._weights[rows, : self._used] * shares[:, None]
        places, sums = self._sums.of(
            partners.ravel(), weights.ravel(), unwanted + 1, 1 + self._items
        )
        return places - 1, sums

    def learn(
        self,
        past: Past,
        chosen: Ints,
        surprises: Doubles,
        items: int,
        random: np.random.Generator,
    ) -> None:
        """One step: candidates were held this much likelier than what came; `items` are known.

        chosen: (candidates,), not of the past, any may repeat. surprises: (candidates,), the
        probability of each by the score, less 1 for the one that was taken.
        """
        self._reserve(items)
        rows, shares = self._shares(past)
        if not len(rows) or not len(chosen):
            return
        steps = -np.float32(_RATE) * shares  # (past,)
        np.add.at(self._surprises, chosen + 1, surprises)
        partners = self._partners[rows, : self._used]  # (past, used)
        # Of all these pairs few are with any of the chosen, and only those change.
        self._chosen[chosen + 1] = True
        places = np.flatnonzero(self._chosen.take(partners))
        self._chosen[chosen + 1] = False
        owners, columns = np.divmod(places, max(1, self._used))
        met = partners.ravel()[places]
        self._weights[rows[owners], columns] += steps[owners] * self._surprises[met]
        distinct = np.unique(chosen)
        sizes = np.abs(self._surprises[distinct + 1])
        for item in distinct[np.argsort(-sizes, kind="stable")[:_ADMITTED]].tolist():
            new = np.ones(len(rows), np.bool_)
            new[owners[met == item + 1]] = False
            self._admit(rows[new], item, steps[new] * self._surprises[item + 1], random)
        self._surprises[chosen + 1] = 0.0

    def _shares(self, past: Past) -> tuple[Ints, Floats]:
        """The newest of the past for which there is a row, and what each counts."""
        rows = past.rows[: self._history]
        counts = past.actions[: self._history] * _DECAY ** np.arange(len(rows))
        counts /= max(1.0, float(np.sqrt(counts @ counts)))
        old = rows < self._items
        return rows[old], counts[old].astype(np.float32)

    def _admit(self, rows: Ints, item: int, weights: Floats, random: np.random.Generator) -> None:
        """The item as a new partner of each of the rows, where it finds a place."""
        sizes = np.abs(self._weights[rows])
        columns = sizes.argmin(axis=1)
        weakest, own = sizes[np.arange(len(rows)), columns], np.abs(weights)
        admitted = random.random(len(rows)) * (own + weakest) < own
        rows, columns = rows[admitted], columns[admitted]
        self._partners[rows, columns] = item + 1
        self._weights[rows, columns] = weights[admitted]
        self._used = max(self._used, 1 + int(columns.max(initial=-1)))

    def _reserve(self, items: int) -> None:
        self._items = max(self._items, items)
        if items > len(self._partners):
            self._resize(items)

    def _resize(self, items: int) -> None:
        """Room for so many items and more, each with its share of all pairs: the strongest stay."""
        capacity = max(_FIRST_CAPACITY, 1 << (items - 1).bit_length())  # whatever came before
        width = int(np.clip(self._most // capacity, FEWEST_PARTNERS, MOST_PARTNERS))
        partners, weights = self._partners, self._weights
        if width < partners.shape[1]:
            strongest = np.argpartition(-np.abs(weights), width, axis=1)[:, :width]
            partners = np.take_along_axis(partners, strongest, 1)
            weights = np.take_along_axis(weights, strongest, 1)
        self._partners = np.zeros((capacity, width), np.int32)
        self._weights = np.zeros((capacity, width), np.float32)
        self._partners[: len(partners), : partners.shape[1]] = partners
        self._weights[: len(weights), : weights.shape[1]] = weights
        self._used = min(self._used, width)
        self._surprises = np.zeros(1 + capacity, np.float32)
        self._chosen = np.zeros(1 + capacity, np.bool_)

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "partners": tensor_of(self._partners[: self._items, : self._used]),
            "weights": tensor_of(self._weights[: self._items, : self._used]),
        }

    def load(self, state: State) -> None:
        """Become what `state` said, as far as there is room for it: the strongest stay."""
        self._partners = array_of(state["partners"])
        self._weights = array_of(state["weights"])
        self._items, self._used = self._partners.shape
        self._resize(self._items)

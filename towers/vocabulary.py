"""Features of one side, items or users, down to embedding rows and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from torch import Tensor

from schemas.events import FeatureValue
from schemas.settings import FeatureKind, TowerSettings
from towers.arrays import Bags, Doubles, Floats, Ints, State, ints
from towers.bag_sums import bag_sums
from towers.features import FeatureReader
from towers.numbers import Numbers
from towers.table import EmbeddingTable


class Leaf(NamedTuple):
    """Rows read in a learning step, and the copy of them that takes the gradients."""

    rows: Ints
    weight: Tensor
    """(rows, dim)"""


class Vocabulary:
    """Ids and feature tokens with their embeddings, and what standardises the numeric ones.

    An item or user is a bag of keys and raw weights, made once; rows and weights follow from it
    whenever it is read, so that they are always those of now.
    """

    def __init__(
        self,
        settings: TowerSettings,
        kinds: Mapping[str, FeatureKind],
        text_buckets: int,
        seed: int,
    ) -> None:
        self.reader = FeatureReader(kinds, text_buckets)
        self.table = EmbeddingTable(settings, seed)
        self._numbers = Numbers(self.table)

    def encode(
        self, features: Mapping[str, FeatureValue], identity: str | None = None
    ) -> tuple[Ints, Doubles]:
        """Keys and raw weights of the features, and of the id first, if there is one.

        An id's row begins at zero, so that the features alone decide at first; without any it
        begins in a direction of the id, since the sum could be zero, and so if all are numeric.
        """
        tokens = self.reader.read(features)
        keys, weights = [], []
        if identity is not None:
            directed = any(not token.number for token in tokens)
            keys.append(self.table.add(f"={identity}", from_zero=directed))
            weights.append(1.0)
        for token in tokens:
            known = self._numbers.observe(token) if token.number else self.table.add(token.name)
            keys.append(known)
            weights.append(token.weight)
        return ints(keys), np.array(weights, np.float64)

    def sums(self, bags: Bags) -> Tensor:
        """(bags, dim): weighted sum of each bag's rows, without gradients."""
        rows, weights = self._read(bags)
        return bag_sums(self.table.weight, rows, weights, bags.lengths)

    def mixtures(self, bags: Bags, shares: Floats, lengths: Ints) -> Tensor:
        """(mixtures, dim): sums of so many bags each, by their shares, without gradients.

        shares: (bags,); lengths: (mixtures,), of bags. One pass over the entries of all.
        """
        rows, weights = self._read(bags)
        ends = np.append(0, np.cumsum(bags.lengths))[np.append(0, np.cumsum(lengths))]
        weights = weights * np.repeat(shares, bags.lengths)
        return bag_sums(self.table.weight, rows, weights, np.diff(ends))

    def sums_to_learn(self, bags: Bags) -> tuple[Tensor, Leaf]:
        """The same with gradients to the leaf."""
        read, weights = self._read(bags)
        rows, places = self.table.distinct(read)
        leaf = Leaf(rows, self.table.leaf(rows))
        return bag_sums(leaf.weight, places, weights, bags.lengths), leaf

    def hit(self, bags: Bags, clock: int) -> None:
        """Positives read these bags; `clock` positives were so far."""
        self.table.hit(self._numbers.read(bags)[0], clock)

    def learn(self, leaf: Leaf) -> None:
        """One step on the rows of the leaf, after `backward`."""
        self.table.learn(leaf.rows, leaf.weight)

    def _read(self, bags: Bags) -> tuple[Ints, Floats]:
        keys, weights = self._numbers.read(bags)
        return self.table.rows(keys), weights

    def state(self) -> State:
        """For a checkpoint."""
        return {"table": self.table.state(), "numbers": self._numbers.state()}

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.table.load(state["table"])
        self._numbers.load(state["numbers"])

"""Features of one side, items or users, down to embedding rows and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from schemas.events import FeatureValue
from schemas.settings import FeatureKind
from towers.arrays import Bags, Doubles, Ints, State, ints
from towers.features import FeatureReader
from towers.moments import Moments
from towers.table import EmbeddingTable

NEW_ROW_NORM = 0.5
"""Length of a new row that must not be zero: a gradient through a unit vector needs a direction."""


class Encoded(NamedTuple):
    """The features of one item or user."""

    rows: Ints
    weights: Doubles
    """Raw: the numeric ones are standardised when summed."""
    directed: bool
    """Their sum can't be zero: a numeric feature alone can, at its mean."""


class Vocabulary:
    """Known feature tokens with their embeddings, and the moments of the numeric ones."""

    def __init__(self, kinds: Mapping[str, FeatureKind], dim: int, lr: float, seed: int) -> None:
        self.reader = FeatureReader(kinds)
        self.table = EmbeddingTable(dim, lr, seed)
        self._moments = Moments()

    def encode(self, features: Mapping[str, FeatureValue]) -> Encoded:
        """Rows and raw weights of the features; unknown tokens get a row, numbers are counted."""
        tokens = self.reader.read(features)
        rows = ints(self.table.add(token.name, NEW_ROW_NORM) for token in tokens)
        for row, token in zip(rows.tolist(), tokens, strict=True):
            if token.numeric:
                self._moments.observe(row, token.weight)
        weights = np.fromiter((token.weight for token in tokens), np.float64)
        return Encoded(rows, weights, not all(token.numeric for token in tokens))

    def sums(self, bags: Bags) -> Tensor:
        """Weighted sum of each bag's rows, without gradients."""
        weights = torch.from_numpy(self._moments.standardise(bags.rows, bags.weights))
        return _sum(self.table.weight, torch.from_numpy(bags.rows), weights, bags)

    def sums_to_learn(self, bags: Bags) -> tuple[Tensor, Ints, Tensor]:
        """The same with gradients: sums, the distinct rows read, and the leaf that holds them."""
        rows, places = np.unique(bags.rows, return_inverse=True)
        leaf = self.table.leaf(rows)  # (distinct rows, dim)
        weights = torch.from_numpy(self._moments.standardise(bags.rows, bags.weights))
        return _sum(leaf, torch.from_numpy(places), weights, bags), rows, leaf

    def state(self) -> State:
        """For a checkpoint."""
        return {"table": self.table.state(), "moments": self._moments.state()}

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.table.load(state["table"])
        self._moments.load(state["moments"])


def _sum(table: Tensor, rows: Tensor, weights: Tensor, bags: Bags) -> Tensor:
    if not len(bags.rows):
        return torch.zeros(len(bags.lengths), table.shape[1])
    sums: Tensor = F.embedding_bag(
        rows, table, torch.from_numpy(bags.offsets), mode="sum", per_sample_weights=weights
    )  # (bags, dim)
    return sums

"""The item tower `sum`: id row plus the weighted rows of the features, at unit length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from schemas.events import FeatureValue
from schemas.settings import FeatureKind, TowerSettings
from towers.arrays import Ints, RaggedStore, State
from towers.table import EmbeddingTable
from towers.vocabulary import NEW_ROW_NORM, Vocabulary


class ItemSums(NamedTuple):
    """The sums of some items as leaves of a step."""

    items: Ints
    sums: Tensor
    """(items, dim), before normalisation."""
    id_leaf: Tensor
    feature_rows: Ints
    feature_leaf: Tensor


class ItemTower:
    """Items by row number: their ids' embeddings, their features, their vectors.

    The id row of an item that comes with features begins at zero, so that its vector comes from
    the features alone; without features it begins in a direction of its id, so that there is a
    unit vector at all.
    """

    def __init__(
        self, settings: TowerSettings, kinds: Mapping[str, FeatureKind], seed: int
    ) -> None:
        self._ids = EmbeddingTable(settings.dim, settings.id_lr, seed)
        self._vocabulary = Vocabulary(kinds, settings.dim, settings.feature_lr, seed + 1)
        self._bags = RaggedStore()

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def unusable_features(self) -> int:
        """Feature values that could not be read."""
        return self._vocabulary.reader.unusable

    def put(self, item_id: str, features: Mapping[str, FeatureValue]) -> int:
        """Row of the item, known or new, which has these features from now on."""
        rows, weights, directed = self._vocabulary.encode(features)
        row = self._ids.add(item_id, 0.0)
        if not directed:
            self._ids.give_direction(item_id, NEW_ROW_NORM)
        self._bags.put(row, rows, weights)
        return row

    def sums(self, items: Ints) -> Tensor:
        """(items, dim): what the user tower reads of the items; without gradients."""
        ids = self._ids.weight[torch.from_numpy(items)]  # (items, dim)
        return ids + self._vocabulary.sums(self._bags.gather(items))

    def vectors(self, items: Ints) -> Tensor:
        """(items, dim): unit vectors; without gradients."""
        return F.normalize(self.sums(items))

    def sums_to_learn(self, items: Ints) -> ItemSums:
        """The sums of distinct items, with gradients to the rows that they read."""
        id_leaf = self._ids.leaf(items)  # (items, dim)
        features, rows, leaf = self._vocabulary.sums_to_learn(self._bags.gather(items))
        return ItemSums(items, id_leaf + features, id_leaf, rows, leaf)

    def learn(self, read: ItemSums) -> None:
        """One Adagrad step on every row read, after `backward`."""
        self._ids.learn(read.items, read.id_leaf)
        self._vocabulary.table.learn(read.feature_rows, read.feature_leaf)

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "ids": self._ids.state(),
            "vocabulary": self._vocabulary.state(),
            "bags": self._bags.state(),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._ids.load(state["ids"])
        self._vocabulary.load(state["vocabulary"])
        self._bags.load(state["bags"])

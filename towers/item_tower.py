"""Item towers: the weighted rows of an item's id and features, summed, to a unit vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from schemas.events import FeatureValue
from schemas.settings import FeatureSettings, TowerSettings
from towers.arrays import Floats, Ints, RaggedStore, State
from towers.layers import Mlp
from towers.meeting import Meeting
from towers.vocabulary import Leaf, Vocabulary


class ItemSums(NamedTuple):
    """The sums of some items in a learning step."""

    sums: Tensor
    """(items, dim)"""
    leaf: Leaf


class MlpLayers(nn.Module):
    """x + MLP(x)."""

    def __init__(self, settings: TowerSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.mlp = Mlp(settings.dim, settings.hidden, settings.dim, generator)

    def forward(self, sums: Tensor) -> Tensor:
        """(items, dim) of (items, dim)."""
        outputs: Tensor = sums + self.mlp(sums)
        return outputs


class ItemTower:
    """Items by row number: what they consist of, their sums, their vectors.

    `sum` leaves the sums as they are, so that an item of which no step reads a row stays where it
    is; `mlp` adds an MLP of them, and every step moves every item a little. Users are made of
    items' sums.
    """

    def __init__(
        self, settings: TowerSettings, features: FeatureSettings, meeting: Meeting, seed: int
    ) -> None:
        self._vocabulary = Vocabulary(settings, features.items, features.text_buckets, seed)
        self._bags = RaggedStore()
        self._meet = meeting.items
        self.layers: nn.Module = nn.Identity()
        if settings.item_tower == "mlp":
            self.layers = MlpLayers(settings, torch.Generator().manual_seed(seed))

    @property
    def unusable_features(self) -> int:
        """Feature values that could not be read."""
        return self._vocabulary.reader.unusable

    def put(self, item: int, item_id: str, features: Mapping[str, FeatureValue]) -> None:
        """The item, known or the next one, has these features from now on."""
        keys, weights = self._vocabulary.encode(features, item_id)
        self._bags.put(item, keys, weights)

    def sums(self, items: Ints) -> Tensor:
        """(items, dim), without gradients."""
        return self._vocabulary.sums(self._bags.gather(items))

    def mixtures(self, items: Ints, shares: Floats, lengths: Ints) -> Tensor:
        """(mixtures, dim): sums of so many items each, by their shares, without gradients."""
        return self._vocabulary.mixtures(self._bags.gather(items), shares, lengths)

    @torch.no_grad()
    def vectors(self, items: Ints) -> Tensor:
        """(items, dim): unit vectors, without gradients."""
        return self.met(self.sums(items))

    def met(self, sums: Tensor) -> Tensor:
        """(items, dim): unit vectors of sums, with what gradients these have."""
        return self._meet(self.layers(sums))

    def sums_to_learn(self, items: Ints) -> ItemSums:
        """The sums with gradients to the rows that they read."""
        return ItemSums(*self._vocabulary.sums_to_learn(self._bags.gather(items)))

    def learn(self, read: ItemSums) -> None:
        """One step on every row read, after `backward`."""
        self._vocabulary.learn(read.leaf)

    def hit(self, items: Ints, clock: int) -> None:
        """Positives were of these items; `clock` positives were so far."""
        self._vocabulary.hit(self._bags.gather(items), clock)

    def state(self) -> State:
        """For a checkpoint, without the layers."""
        return {"vocabulary": self._vocabulary.state(), "bags": self._bags.state()}

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._vocabulary.load(state["vocabulary"])
        self._bags.load(state["bags"])

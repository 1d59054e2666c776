"""EGES: an item's vector is the weighted mean of its own row and those of its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from towers.arrays import Bags, RaggedStore
from towers.bag_sums import bag_sums
from towers.graph.rows import Rows
from towers.graph.side_information import Features, SideInformation
from towers.graph.skip_gram import first_weights


class _Read(NamedTuple):
    """What the last `vectors` read of some distinct items."""

    items: Tensor
    places: Tensor
    slots: Tensor
    """(items, 1 + fields, dim): the item's own row, then each field's mean."""
    shares: Tensor
    """(items, 1 + fields): sum to 1; 0 for a field that the item lacks."""
    means: Tensor
    """(items, dim)"""
    bags: Bags
    """Tokens of each field of each item."""


class SideInputs:
    """An `Inputs`: H = sum_j e^(a_j) W_j / sum_j e^(a_j), with a weight a_j learned for each item
    and slot j: its own row W_0, and the mean of its tokens' rows in each field that it has.

    EGES, enhanced graph embedding with side information (Wang et al., KDD 2018, equations 5-10).
    """

    def __init__(
        self,
        items: Sequence[Features],
        side: SideInformation,
        dim: int,
        rate: float,
        random: torch.Generator,
    ) -> None:
        self._side = side
        # Adagrad takes steps of one length however small its share of the gradient is, and the
        # mixture takes that share of the step: so it moves as far as a row that is alone does.
        self.ids = Rows(first_weights(len(items), dim, random), rate * (1 + side.fields))
        self.tokens = Rows(first_weights(max(side.tokens, 1), dim, random), rate)
        self.attention = Rows(torch.zeros(len(items), 1 + side.fields), rate)
        self._store = RaggedStore()
        for item, features in enumerate(items):
            for field, tokens in enumerate(side.of(features)):
                weights = np.full(len(tokens), 1 / max(len(tokens), 1))
                self._store.put(item * side.fields + field, tokens, weights)
        self._read: _Read | None = None

    def vectors(self, items: Tensor) -> Tensor:
        """See `Inputs`."""
        distinct, places = torch.unique(items, return_inverse=True)
        fields = self._side.fields
        bags = self._store.gather((distinct.numpy()[:, None] * fields + np.arange(fields)).ravel())
        means = self._sums(bags).view(len(distinct), fields, self.ids.weight.shape[1])
        slots = torch.cat([self.ids.weight[distinct].unsqueeze(1), means], dim=1)
        present = torch.ones(len(distinct), 1 + fields, dtype=torch.bool)
        present[:, 1:] = torch.from_numpy(bags.lengths > 0).view(len(distinct), fields)
        logits = self.attention.weight[distinct].masked_fill(~present, -torch.inf)
        shares = torch.softmax(logits, dim=1)  # (items, 1 + fields)
        mixed = torch.einsum("is,isd->id", shares, slots)  # (items, dim)
        self._read = _Read(distinct, places, slots, shares, mixed, bags)
        return mixed.index_select(0, places)

    def learn(self, items: Tensor, gradients: Tensor) -> None:
        """See `Inputs`; of the items that `vectors` was asked for last."""
        if self._read is None:
            msg = "vectors are read before they are learned"
            raise RuntimeError(msg)
        distinct, places, slots, shares, mixed, bags = self._read
        sums = torch.zeros_like(mixed).index_add_(0, places, gradients)  # (items, dim)
        of_slots = shares.unsqueeze(2) * sums.unsqueeze(1)  # (items, 1 + fields, dim)
        # The softmax passes on how much better a slot does than the mixture.
        better = torch.einsum("isd,id->is", slots - mixed.unsqueeze(1), sums)
        self.ids.descend(distinct, of_slots[:, 0])
        self.attention.descend(distinct, shares * better)
        if len(bags.keys):
            fields = of_slots[:, 1:].flatten(0, 1)  # (items * fields, dim)
            each = fields.repeat_interleave(torch.from_numpy(bags.lengths), dim=0)
            weights = torch.from_numpy(bags.weights).float().unsqueeze(1)
            self.tokens.descend(torch.from_numpy(bags.keys), each * weights)

    def cold(self, features: Features) -> Tensor | None:
        """(dim,): the mean of the fields of an item that was never visited; None without any.

        As the paper has it for cold items: no weights are known, so all fields weigh the same.
        """
        found = [tokens for tokens in self._side.of(features) if len(tokens)]
        if not found:
            return None
        means = [self.tokens.weight[torch.from_numpy(tokens)].mean(0) for tokens in found]
        return torch.stack(means).mean(0)

    def _sums(self, bags: Bags) -> Tensor:
        weights = bags.weights.astype(np.float32)
        return bag_sums(self.tokens.weight, bags.keys, weights, bags.lengths)

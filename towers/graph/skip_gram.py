"""Skip-gram with negative sampling: the core of all four methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from towers.arrays import Doubles, Ints
from towers.graph.rows import Rows


@dataclass(frozen=True)
class SkipGramRules:
    """How vectors are learned from pairs."""

    dim: int = 64
    """Dimensions of a vector."""
    window: int = 5
    """Neighbours before and after a centre, at most."""
    negatives: int = 5
    """How much the negatives weigh against each pair."""
    drawn: int = 64
    """Negatives drawn for a batch; all its pairs share them, at `negatives / drawn` each."""
    batch: int = 4_096
    """Pairs learned in one step."""
    rate: float = 0.05
    """Learning rate (row-wise Adagrad)."""
    subsample: float = 1e-3
    """An item of a larger share f of all visits is left out with chance 1 - sqrt(subsample / f)."""
    power: float = 0.75
    """Negatives are drawn by visits to this power."""


class Inputs(Protocol):
    """What makes the vector of a centre."""

    def vectors(self, items: Tensor) -> Tensor:
        """(n, dim)"""

    def learn(self, items: Tensor, gradients: Tensor) -> None:
        """One step against (n, dim) gradients of what `vectors` gave for the same items."""


class ItemInputs:
    """An `Inputs` of one row an item: all but EGES."""

    def __init__(self, items: int, dim: int, rate: float, random: torch.Generator) -> None:
        self._rows = Rows(first_weights(items, dim, random), rate)

    def vectors(self, items: Tensor) -> Tensor:
        """See `Inputs`."""
        return self._rows.weight.index_select(0, items)

    def learn(self, items: Tensor, gradients: Tensor) -> None:
        """See `Inputs`."""
        self._rows.descend(items, gradients)


def first_weights(rows: int, dim: int, random: torch.Generator) -> Tensor:
    """(rows, dim): uniform within 1/2 dim of 0, as word2vec begins."""
    return (torch.rand(rows, dim, generator=random) - 0.5) / dim


class Gradients(NamedTuple):
    """Of the loss, which is summed over the pairs."""

    centres: Tensor
    """(pairs, dim)"""
    neighbours: Tensor
    """(pairs, dim)"""
    negatives: Tensor
    """(drawn, dim)"""


def loss_of(centres: Tensor, neighbours: Tensor, negatives: Tensor, weights: Tensor) -> float:
    """-log s(u v) - sum over negatives n of weight log s(-u n), summed over the pairs; arguments as
    those of `gradients_of`.
    """
    right = torch.linalg.vecdot(centres, neighbours)  # (pairs,)
    wrong = centres @ negatives.T  # (pairs, drawn)
    return (F.softplus(-right).sum() + (weights * F.softplus(wrong)).sum()).item()


def gradients_of(
    centres: Tensor, neighbours: Tensor, negatives: Tensor, weights: Tensor
) -> Gradients:
    """Of `loss_of`, by hand, as no graph is needed.

    centres, neighbours: (pairs, dim); negatives: (drawn, dim); weights: (pairs, drawn), 0 where a
    negative is the pair's neighbour (Mikolov et al., NIPS 2013, equation 4).
    """
    right = torch.linalg.vecdot(centres, neighbours)  # (pairs,)
    wrong = centres @ negatives.T  # (pairs, drawn)
    pull = (torch.sigmoid(right) - 1).unsqueeze(1)  # (pairs, 1)
    push = weights * torch.sigmoid(wrong)  # (pairs, drawn)
    return Gradients(
        pull * neighbours + push @ negatives,
        pull * centres,
        push.T @ centres,
    )


class _Step(NamedTuple):
    """Centres, neighbours and negatives, and what `gradients_of` takes of them."""

    first: Tensor
    second: Tensor
    drawn: Tensor
    read: tuple[Tensor, Tensor, Tensor, Tensor]


class SkipGram:
    """Learns `inputs` and a second table, of neighbours, from pairs.

    visits: (items,), what negatives are drawn by.
    """

    def __init__(
        self, inputs: Inputs, visits: Doubles, rules: SkipGramRules, random: np.random.Generator
    ) -> None:
        self._inputs, self._rules, self._random = inputs, rules, random
        self._outputs = Rows(torch.zeros(len(visits), rules.dim), rules.rate)
        self._chances: Doubles = np.cumsum(visits**rules.power)

    def learn(self, centres: Ints, neighbours: Ints) -> None:
        """One step on some pairs."""
        first, second, drawn, read = self._read(centres, neighbours)
        found = gradients_of(*read)
        self._inputs.learn(first, found.centres)
        self._outputs.descend(
            torch.cat([second, drawn]), torch.cat([found.neighbours, found.negatives])
        )

    def loss(self, centres: Ints, neighbours: Ints) -> float:
        """The mean loss of a pair: a third of a step's time, so not part of each."""
        return loss_of(*self._read(centres, neighbours).read) / len(centres)

    def _read(self, centres: Ints, neighbours: Ints) -> _Step:
        first, second = torch.from_numpy(centres), torch.from_numpy(neighbours)
        drawn = torch.from_numpy(self._draw())
        share = self._rules.negatives / self._rules.drawn
        weights = (second.unsqueeze(1) != drawn).float() * share  # (pairs, drawn)
        outputs = self._outputs.weight
        read = self._inputs.vectors(first), outputs[second], outputs[drawn], weights
        return _Step(first, second, drawn, read)

    def _draw(self) -> Ints:
        drawn = self._random.random(self._rules.drawn) * self._chances[-1]
        places = np.searchsorted(self._chances, drawn, side="right")
        found: Ints = np.minimum(places, len(self._chances) - 1)
        return found

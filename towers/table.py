"""An embedding table that grows with its keys and learns only the rows that were read."""

from __future__ import annotations

import math

import numpy as np
import torch
import xxhash
from torch import Tensor

from towers.arrays import Ints, State, packed, unpacked

_EPS = 1e-10
_FIRST_CAPACITY = 1_024


class EmbeddingTable:
    """Rows by key, trained by row-wise Adagrad: one step size per row, from its mean square.

    Row-wise Adagrad: Gupta et al., "Training Recommender Systems at Scale", 2014, as in
    production recommenders; a row that is seldom read keeps its large steps.
    """

    def __init__(self, dim: int, lr: float, seed: int) -> None:
        self.lr = lr
        self._seed = seed
        self._rows: dict[str, int] = {}
        self.weight = torch.zeros(_FIRST_CAPACITY, dim)  # (capacity, dim)
        self._squares = torch.zeros(_FIRST_CAPACITY)  # (capacity,)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, key: str) -> int | None:
        """The row of a known key."""
        return self._rows.get(key)

    def add(self, key: str, norm: float) -> int:
        """The row of the key; a new one begins at about this norm, in a direction of its key."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._rows)
            self._reserve(row + 1)
            if norm:
                self.weight[row] = norm * self._direction(key)
        return row

    def give_direction(self, key: str, norm: float) -> None:
        """Begin the row of a known key anew, should it be zero."""
        row = self._rows[key]
        if not self.weight[row].any():
            self.weight[row] = norm * self._direction(key)

    def leaf(self, rows: Ints) -> Tensor:
        """A copy of the rows, to read in a forward pass and to take gradients on."""
        return self.weight[torch.from_numpy(rows)].requires_grad_()  # (rows, dim)

    def learn(self, rows: Ints, leaf: Tensor) -> None:
        """One Adagrad step on the rows of `leaf`. The rows must be distinct."""
        gradient = leaf.grad
        if gradient is None:
            return
        index = torch.from_numpy(rows)
        squares = self._squares[index] + gradient.square().mean(dim=1)  # (rows,)
        self._squares[index] = squares
        step = self.lr / (squares.sqrt() + _EPS)
        self.weight[index] = leaf.detach() - step.unsqueeze(1) * gradient

    def _direction(self, key: str) -> Tensor:
        """Near unit length; of the key and seed only, so no order of arrival changes it."""
        generator = np.random.default_rng(xxhash.xxh3_64_intdigest(key.encode(), self._seed))
        dim = self.weight.shape[1]
        noise = generator.standard_normal(dim, np.float32)
        return torch.from_numpy(noise) / math.sqrt(dim)

    def _reserve(self, size: int) -> None:
        capacity = len(self.weight)
        if size > capacity:
            more = max(size, 2 * capacity) - capacity
            self.weight = torch.cat([self.weight, torch.zeros(more, self.weight.shape[1])])
            self._squares = torch.cat([self._squares, torch.zeros(more)])

    def state(self) -> State:
        """For a checkpoint."""
        size = len(self._rows)
        return {
            "keys": packed(list(self._rows)),
            "weight": self.weight[:size].clone(),
            "squares": self._squares[:size].clone(),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._rows = {key: row for row, key in enumerate(unpacked(state["keys"], list[str]))}
        self.weight, self._squares = state["weight"].clone(), state["squares"].clone()
        self._reserve(_FIRST_CAPACITY)

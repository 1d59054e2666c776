"""An embedding table that grows and shrinks, and learns only the rows that were read."""

from __future__ import annotations

import math

import numpy as np
import torch
import xxhash
from torch import Tensor

from schemas.settings import TowerSettings
from towers.arrays import Ints, State, array_of, grown, packed, tensor_of, unpacked

NEW_NORM = 0.5
"""Length of a new row that must not be zero: a gradient through a unit vector needs a direction."""
COLD_ROWS = 16
"""Rows shared, by hash, by the keys that need a direction and have no row of their own."""

_ZERO = 0  # the row shared by the keys that need none
_FIRST_OWN = 1 + COLD_ROWS
_NOBODY = -1
_SWEEPS = 8  # within the time after which a row expires
_EPS = 1e-10
_FIRST_CAPACITY = 1_024


class EmbeddingTable:
    """Rows for keys 0, 1, 2, ..., trained by row-wise Adagrad: one step size per row, from its mean
    square (Gupta et al., "Training Recommender Systems at Scale", 2014).

    A key has a row of its own once `admit_after` positives hit it; it begins where the cold row
    stands that the key shared until then, or, where none is to be hit, at zero or in a direction of
    the key. A row that no positive hit for `expire_after_positives`, or an eighth longer, is given
    back for another key, and its own is as cold as a new one.

    Bytes: 4 dim + 20 a row, which are reused; 24 a key and 100 to 200 for its name, which stay.
    Arrays double as they grow, so up to twice that is reserved.
    """

    def __init__(self, settings: TowerSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._keys: dict[str, int] = {}
        self._rows: Ints = np.zeros(0, np.int64)  # (keys,)
        self._cold: Ints = np.zeros(0, np.int64)  # (keys,) the row when it has none of its own
        self._hits: Ints = np.zeros(0, np.int64)  # (keys,)
        self.weight = torch.zeros(_FIRST_CAPACITY, settings.dim)  # (capacity, dim)
        self._squares = torch.zeros(_FIRST_CAPACITY)  # (capacity,)
        self._owners: Ints = np.full(_FIRST_CAPACITY, _NOBODY)  # (capacity,) keys
        self._used: Ints = np.zeros(_FIRST_CAPACITY, np.int64)  # (capacity,) clock of the last hit
        self._free: list[int] = []
        self._end = _FIRST_OWN  # of the rows ever used
        self._clock = self._swept = 0
        for row in range(1, _FIRST_OWN):
            self.weight[row] = self._direction(f"cold {row}")

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def own_rows(self) -> int:
        """Keys that have a row of their own."""
        return self._end - _FIRST_OWN - len(self._free)

    def find(self, name: str) -> int | None:
        """The key of a known name."""
        return self._keys.get(name)

    def add(self, name: str, from_zero: bool = False, start: Tensor | None = None) -> int:
        """The key of a name, known or new; `from_zero`: it needs no direction.

        start: (dim,), where a new one begins, in a row of its own whatever `admit_after` says.
        """
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = len(self._keys)
            for array in ("_rows", "_cold", "_hits"):
                setattr(self, array, grown(getattr(self, array), key + 1))
            if start is not None or not self._settings.admit_after:
                self._rows[key] = row = self._take_row(key)
                if start is not None:
                    self.weight[row] = start
        if not from_zero and self._cold[key] == _ZERO:
            self._cold[key] = 1 + xxhash.xxh3_64_intdigest(name.encode()) % COLD_ROWS
            row = self._rows[key]
            if row == _ZERO:
                self._rows[key] = self._cold[key]
            elif not self.weight[row].any():
                self.weight[row] = self._direction(name)
        return key

    def rows(self, keys: Ints) -> Ints:
        """The row of each key, shared or its own."""
        return self._rows[keys]

    def hit(self, keys: Ints, clock: int) -> None:
        """Positives read these keys, each as often as it is here; `clock` positives were so far."""
        self._clock = clock
        distinct, times = np.unique(keys, return_counts=True)
        self._hits[distinct] += times
        owns = self._rows[distinct] >= _FIRST_OWN
        self._used[self._rows[distinct[owns]]] = clock
        admitted = distinct[~owns & (self._hits[distinct] >= self._settings.admit_after)]
        for key in admitted.tolist():
            self._rows[key] = row = self._take_row(key)
            self.weight[row] = self.weight[self._cold[key]]
        if (clock - self._swept) * _SWEEPS >= self._settings.expire_after_positives:
            self._swept = clock
            self._sweep()

    def distinct(self, rows: Ints) -> tuple[Ints, Ints]:
        """The distinct rows, and the place of each given one among them."""
        used = np.zeros(self._end, np.bool_)
        used[rows] = True
        found = np.flatnonzero(used)
        places = np.zeros(self._end, np.int64)
        places[found] = np.arange(len(found))
        return found, places[rows]

    def leaf(self, rows: Ints) -> Tensor:
        """A copy of the rows, to read in a forward pass and to take gradients on."""
        return self.weight.index_select(0, torch.from_numpy(rows)).requires_grad_()  # (rows, dim)

    def learn(self, rows: Ints, leaf: Tensor) -> None:
        """One Adagrad step on the rows of `leaf`. The rows must be distinct."""
        gradient = leaf.grad
        if gradient is None:
            return
        index = torch.from_numpy(rows)
        self._squares.index_add_(0, index, torch.linalg.vecdot(gradient, gradient) / leaf.shape[1])
        squares = self._squares.index_select(0, index)  # (rows,)
        step = self._settings.embedding_lr / (squares.sqrt() + _EPS)
        self.weight.index_add_(0, index, step.unsqueeze(1) * gradient, alpha=-1)

    def _take_row(self, key: int) -> int:
        if self._free:
            row = self._free.pop()
        else:
            row, self._end = self._end, self._end + 1
            self._reserve(self._end)
        self._owners[row], self._used[row] = key, self._clock
        return row

    def _sweep(self) -> None:
        unused = self._clock - self._used > self._settings.expire_after_positives
        rows = np.flatnonzero(unused & (self._owners != _NOBODY))
        keys = self._owners[rows]
        self._rows[keys], self._hits[keys] = self._cold[keys], 0
        self._owners[rows] = _NOBODY
        index = torch.from_numpy(rows)
        self.weight[index], self._squares[index] = 0.0, 0.0
        self._free += rows.tolist()

    def _direction(self, name: str) -> Tensor:
        """About `NEW_NORM` long; of the name and seed only, so no order of arrival changes it."""
        generator = np.random.default_rng(xxhash.xxh3_64_intdigest(name.encode(), self._seed))
        dim = self.weight.shape[1]
        noise = generator.standard_normal(dim, np.float32)
        return torch.from_numpy(noise) * (NEW_NORM / math.sqrt(dim))

    def _reserve(self, size: int) -> None:
        capacity = len(self.weight)
        if size > capacity:
            more = max(size, 2 * capacity) - capacity
            self.weight = torch.cat([self.weight, torch.zeros(more, self.weight.shape[1])])
            self._squares = torch.cat([self._squares, torch.zeros(more)])
            self._owners = np.concatenate([self._owners, np.full(more, _NOBODY)])
            self._used = np.concatenate([self._used, np.zeros(more, np.int64)])

    def state(self) -> State:
        """For a checkpoint."""
        keys, end = len(self._keys), self._end
        by_key = {"rows": self._rows, "cold": self._cold, "hits": self._hits}
        by_row = {"owners": self._owners, "used": self._used}
        return {
            "keys": packed(list(self._keys)),
            "weight": self.weight[:end].clone(),
            "squares": self._squares[:end].clone(),
            "free": packed(self._free),
            "clocks": packed([self._clock, self._swept]),
            **{name: tensor_of(array[:keys]) for name, array in by_key.items()},
            **{name: tensor_of(array[:end]) for name, array in by_row.items()},
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._keys = {name: key for key, name in enumerate(unpacked(state["keys"], list[str]))}
        self.weight, self._squares = state["weight"].clone(), state["squares"].clone()
        self._end = len(self.weight)
        self._free = unpacked(state["free"], list[int])
        self._clock, self._swept = unpacked(state["clocks"], list[int])
        self._rows, self._cold = array_of(state["rows"]), array_of(state["cold"])
        self._hits = array_of(state["hits"])
        self._owners, self._used = array_of(state["owners"]), array_of(state["used"])
        self._reserve(_FIRST_CAPACITY)

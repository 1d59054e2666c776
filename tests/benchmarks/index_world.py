"""Items that move, come and go: what `index` searches, and the truth about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from schemas.vectors import Float32Array

DIM = 64
DEPTH = 100
_CLUSTERS = 500
_SPREAD = 0.35
"""Of an item around its cluster's centre, whose coordinates have a spread of 1."""
_MOVE = 0.3
"""How far an item moves, likewise, before it is brought back to length 1."""
MOVED, CAME, WENT = 0.02, 0.005, 0.005
"""Shares of the items in each round."""


class Changes(NamedTuple):
    """Of one round."""

    ids: list[str]
    vectors: Float32Array
    """(len(ids), DIM): moved and new items."""
    gone: list[str]

    def slices(self, size: int) -> Iterator[Changes]:
        """The same, so many operations at a time."""
        for start in range(0, len(self.ids), size):
            part = slice(start, start + size)
            yield Changes(self.ids[part], self.vectors[part], [])
        for start in range(0, len(self.gone), size):
            yield Changes([], self.vectors[:0], self.gone[start : start + size])


class World:
    """The items as they are, seeded; vectors lie around centres, or anywhere."""

    def __init__(self, items: int, clustered: bool, seed: int = 0) -> None:
        self._chance = np.random.default_rng(seed)
        self._centres = centres(self._chance, DIM)
        self._clustered = clustered
        self._size = items
        self._next = items
        self.ids = [f"i{number}" for number in range(items)]
        self.vectors = self._drawn(items)

    def queries(self, count: int) -> Float32Array:
        """(count, DIM), from where the items are."""
        return self._drawn(count)

    def change(self) -> Changes:
        """Let a round pass."""
        size = self._size
        order = self._chance.permutation(len(self.ids))
        moved, gone = order[: int(MOVED * size)], order[-int(WENT * size) :]
        noise = self._chance.standard_normal((len(moved), DIM), np.float32) / np.sqrt(DIM)
        self.vectors[moved] = _unit(self.vectors[moved] + _MOVE * noise)
        new = self._drawn(int(CAME * size))
        new_ids = [f"i{self._next + number}" for number in range(len(new))]
        self._next += len(new)
        changes = Changes(
            [self.ids[at] for at in moved] + new_ids,
            np.concatenate([self.vectors[moved], new]),
            [self.ids[at] for at in gone],
        )
        kept = np.delete(np.arange(len(self.ids)), gone)
        self.ids = [self.ids[at] for at in kept] + new_ids
        self.vectors = np.concatenate([self.vectors[kept], new])
        return changes

    def nearest(self, queries: Float32Array) -> list[list[str]]:
        """The truth: for each query the DEPTH nearest by cosine, nearest first."""
        best = np.argsort(-(queries @ self.vectors.T), axis=1, kind="stable")[:, :DEPTH]
        return [[self.ids[at] for at in row] for row in best]

    def _drawn(self, count: int) -> Float32Array:
        if self._clustered:
            return drawn_around(self._centres, self._chance, count)
        return _unit(self._chance.standard_normal((count, DIM), np.float32))


def centres(chance: np.random.Generator, dim: int) -> Float32Array:
    """(centres, dim), that items lie around."""
    return chance.standard_normal((_CLUSTERS, dim), np.float32)


def drawn_around(centres: Float32Array, chance: np.random.Generator, count: int) -> Float32Array:
    """(count, dim), of length 1: items around the centres (centres, dim)."""
    noise = chance.standard_normal((count, centres.shape[1]), np.float32)
    centre = chance.integers(len(centres), size=count)
    return _unit(centres[centre] + _SPREAD * noise)


def _unit(rows: Float32Array) -> Float32Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def recall(found: list[list[str]], truth: list[list[str]], depth: int) -> float:
    """Share of the true nearest `depth` that were found among as many."""
    pairs = zip(found, truth, strict=True)
    shares = [len(set(some[:depth]) & set(right[:depth])) / depth for some, right in pairs]
    return float(np.mean(shares))

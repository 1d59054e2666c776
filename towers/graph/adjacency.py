"""A weighted directed graph, frozen for walking."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from towers.arrays import Doubles, Ints

NOWHERE = -1
"""In place of a node: the walk has ended."""


class Adjacency:
    """Edges by source; nodes count from 0.

    sources, targets: (edges,), each pair once; weights: (edges,), all above 0.
    """

    def __init__(self, nodes: int, sources: Ints, targets: Ints, weights: Doubles) -> None:
        keys = sources * nodes + targets
        order = np.argsort(keys, kind="stable")
        self.nodes = nodes
        self.targets = targets[order]  # (edges,)
        self.weights = weights[order]  # (edges,)
        self._keys = keys[order]
        self.offsets: Ints = np.searchsorted(sources[order], np.arange(nodes + 1))  # (nodes + 1,)
        self._sums: Doubles = np.concatenate([[0.0], np.cumsum(self.weights)])  # (edges + 1,)

    def step(self, nodes: Ints, random: np.random.Generator) -> Ints:
        """(walks,): a neighbour of each node, drawn by weight; `NOWHERE` where there is none.

        All by one binary search in the running sums of the weights: O(log edges) a walk.
        """
        first, end = self.offsets[nodes], self.offsets[nodes + 1]
        low, high = self._sums[first], self._sums[end]
        drawn = low + random.random(len(nodes)) * (high - low)
        edges = np.searchsorted(self._sums, drawn, side="right") - 1
        # Rounding may put a draw on the border of the next node's edges.
        edges = np.clip(edges, first, np.maximum(end - 1, first))
        return np.where(first == end, NOWHERE, self.targets[np.minimum(edges, self._last)])

    def has_edges(self, sources: Ints, targets: Ints) -> npt.NDArray[np.bool_]:
        """(pairs,): whether there is an edge from the source to the target."""
        keys = sources * self.nodes + targets
        places = np.minimum(np.searchsorted(self._keys, keys), self._last)
        found: npt.NDArray[np.bool_] = self._keys[places] == keys
        return found

    @property
    def _last(self) -> int:
        return len(self.targets) - 1

    def undirected(self) -> Adjacency:
        """The same with each edge both ways; where both were there, with the sum of the weights."""
        sources = np.repeat(np.arange(self.nodes), np.diff(self.offsets))
        keys = np.concatenate([self._keys, self.targets * self.nodes + sources])
        distinct, places = np.unique(keys, return_inverse=True)
        weights = np.zeros(len(distinct))
        np.add.at(weights, places, np.tile(self.weights, 2))
        return Adjacency(self.nodes, distinct // self.nodes, distinct % self.nodes, weights)

"""What is fed to skip-gram, a piece at a time: sessions, or walks made on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from towers.arrays import Ints
from towers.graph.adjacency import Adjacency
from towers.graph.visit_log import Sequences
from towers.graph.walks import first_order_walks, second_order_walks, sequences_of

_PIECE_VISITS = 32_768


@dataclass(frozen=True)
class WalkRules:
    """How a graph is walked."""

    walks: int = 10
    """Walks from each node."""
    length: int = 40
    """Nodes of a walk, at most."""
    p: float = 1.0
    """Walking straight back weighs 1/p (node2vec)."""
    q: float = 1.0
    """Walking away from the last node's neighbours weighs 1/q (node2vec)."""


class Source(Protocol):
    """Sequences, piece by piece."""

    total: int
    """Sequences in all."""

    def pieces(self, random: np.random.Generator) -> Iterator[Sequences]:
        """Each piece a few ten thousand visits."""


class SessionSource:
    """The same sequences `epochs` times, in another order each time."""

    def __init__(self, sequences: Sequences, epochs: int) -> None:
        self._sequences, self._epochs = sequences, epochs
        self.total = epochs * len(sequences.lengths)

    def pieces(self, random: np.random.Generator) -> Iterator[Sequences]:
        """See `Source`."""
        lengths = self._sequences.lengths
        starts = np.cumsum(lengths) - lengths
        for _ in range(self._epochs):
            order = random.permutation(len(lengths))
            ends = np.cumsum(lengths[order])
            pieces = np.unique(np.searchsorted(ends, np.arange(0, ends[-1], _PIECE_VISITS)))
            for rows in np.split(order, pieces[1:]):
                yield _gathered(self._sequences.items, starts[rows], lengths[rows])


class WalkSource:
    """Walks from each node, in random order; none of them is kept."""

    def __init__(self, graph: Adjacency, rules: WalkRules) -> None:
        self._graph, self._rules = graph, rules
        self.total = rules.walks * graph.nodes

    def pieces(self, random: np.random.Generator) -> Iterator[Sequences]:
        """See `Source`."""
        rules, graph = self._rules, self._graph
        at_once = max(1, _PIECE_VISITS // rules.length)
        for _ in range(rules.walks):
            order = random.permutation(graph.nodes)
            for begin in range(0, len(order), at_once):
                starts = order[begin : begin + at_once]
                if rules.p == rules.q == 1:
                    walks = first_order_walks(graph, starts, rules.length, random)
                else:
                    walks = second_order_walks(
                        graph, starts, rules.length, rules.p, rules.q, random
                    )
                yield sequences_of(walks)


def _gathered(items: Ints, starts: Ints, lengths: Ints) -> Sequences:
    """The sequences that begin there."""
    ends = np.cumsum(lengths)
    within = np.arange(int(ends[-1])) - np.repeat(ends - lengths, lengths)
    return Sequences(items[np.repeat(starts, lengths) + within], lengths)

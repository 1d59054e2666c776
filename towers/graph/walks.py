"""Random walks over a graph, many at once."""

from __future__ import annotations

import numpy as np

from towers.arrays import Ints
from towers.graph.adjacency import NOWHERE, Adjacency
from towers.graph.visit_log import Sequences


def first_order_walks(
    graph: Adjacency, starts: Ints, length: int, random: np.random.Generator
) -> Ints:
    """(walks, length): the next node by weight alone, `NOWHERE` after a node without edges.

    DeepWalk (Perozzi et al., KDD 2014) on a weighted directed graph, as EGES walks (equation 1).
    """
    walks = np.full((len(starts), length), NOWHERE)
    walks[:, 0] = starts
    rows = np.arange(len(starts))
    for place in range(1, length):
        following = graph.step(walks[rows, place - 1], random)
        rows, following = rows[following != NOWHERE], following[following != NOWHERE]
        if not len(rows):
            break
        walks[rows, place] = following
    return walks


def second_order_walks(
    graph: Adjacency, starts: Ints, length: int, p: float, q: float, random: np.random.Generator
) -> Ints:
    """(walks, length): from t over v, a neighbour x of v weighs w(v, x) times 1/p if x is t, 1 if
    there is an edge from t to x, and 1/q otherwise; `NOWHERE` after a node without edges.

    node2vec (Grover & Leskovec, KDD 2016, section 3.2.2). By rejection, as KnightKing (Yang et al.,
    SOSP 2019): a neighbour drawn by weight is taken with its factor over the largest factor, so
    that nothing is kept for pairs of nodes.
    """
    walks = np.full((len(starts), length), NOWHERE)
    walks[:, :2] = first_order_walks(graph, starts, min(length, 2), random)
    largest = max(1 / p, 1.0, 1 / q)
    rows = np.flatnonzero(walks[:, min(length, 2) - 1] != NOWHERE)
    for place in range(2, length):
        open_rows = rows
        while len(open_rows):
            before, here = walks[open_rows, place - 2], walks[open_rows, place - 1]
            drawn = graph.step(here, random)
            factors = np.where(graph.has_edges(before, drawn), 1.0, 1 / q)
            factors[drawn == before] = 1 / p
            # A walk that can't go on is over at once.
            taken = (random.random(len(drawn)) * largest < factors) | (drawn == NOWHERE)
            walks[open_rows[taken], place] = drawn[taken]
            open_rows = open_rows[~taken]
        rows = rows[walks[rows, place] != NOWHERE]
        if not len(rows):
            break
    return walks


def sequences_of(walks: Ints) -> Sequences:
    """The walks without what lies behind their ends."""
    reached = walks != NOWHERE
    return Sequences(walks[reached], reached.sum(axis=1))

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from towers.arrays import Doubles, Ints
from towers.graph.adjacency import NOWHERE, Adjacency
from towers.graph.walks import first_order_walks, second_order_walks, sequences_of

# A triangle with a tail, and one way streets; weights differ.
_EDGES = {(0, 1): 1.0, (1, 0): 2.0, (1, 2): 3.0, (2, 0): 1.0, (0, 2): 0.5, (2, 3): 2.0, (3, 2): 1.0,
          (3, 1): 4.0}  # fmt: skip


def graph_of(edges: dict[tuple[int, int], float], nodes: int) -> Adjacency:
    sources, targets = np.array(list(edges), np.int64).T
    return Adjacency(nodes, sources, targets, np.array(list(edges.values())))


def transitions(edges: dict[tuple[int, int], float], nodes: int) -> Doubles:
    """(nodes, nodes): chance of each step."""
    matrix = np.zeros((nodes, nodes))
    for (source, target), weight in edges.items():
        matrix[source, target] = weight
    rows: Doubles = matrix / matrix.sum(1, keepdims=True)
    return rows


def close(counts: Doubles, chances: Doubles, total: float) -> bool:
    """Within five standard deviations of what was to be expected, each of them."""
    spread = np.sqrt(np.maximum(chances * (1 - chances) / total, 1e-12))
    return bool((np.abs(counts / total - chances) < 5 * spread + 1e-9).all())


def test_a_step_is_by_weight() -> None:
    graph, chances = graph_of(_EDGES, 4), transitions(_EDGES, 4)
    drawn = graph.step(np.repeat(np.arange(4), 20_000), np.random.default_rng(0))
    for node, taken in enumerate(drawn.reshape(4, 20_000)):
        assert close(np.bincount(taken, minlength=4).astype(float), chances[node], 20_000)


@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.25, 4.0), (4.0, 0.5), (0.5, 2.0)])
def test_second_order_steps_have_the_chances_of_node2vec(p: float, q: float) -> None:
    """alpha(t, x) w(v, x) / sum, with alpha 1/p, 1, 1/q by the distance of x from t: equation 2."""
    graph, walks, random = graph_of(_EDGES, 4), 40_000, np.random.default_rng(1)
    counts: dict[tuple[int, int], Doubles] = {}
    for start in range(4):
        found = second_order_walks(graph, np.full(walks, start), 3, p, q, random)
        for before, here, after in found.tolist():
            counts.setdefault((before, here), np.zeros(4))[after] += 1
    assert set(counts) == set(_EDGES)
    for (before, here), seen in counts.items():
        weights = np.zeros(4)
        for (source, target), weight in _EDGES.items():
            if source == here:
                near = 1 / p if target == before else 1 if (before, target) in _EDGES else 1 / q
                weights[target] = near * weight
        assert close(seen, weights / weights.sum(), seen.sum()), (before, here)


def test_visits_of_undirected_walks_go_with_the_degree() -> None:
    graph = graph_of(_EDGES, 4).undirected()
    degrees = np.zeros(4)
    for (source, target), weight in _EDGES.items():
        degrees[[source, target]] += weight
    last = ends(graph, 40_000)
    assert close(np.bincount(last, minlength=4).astype(float), degrees / degrees.sum(), len(last))


def test_visits_of_directed_walks_are_the_eigenvector() -> None:
    chances = transitions(_EDGES, 4)
    values, vectors = np.linalg.eig(chances.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    last = ends(graph_of(_EDGES, 4), 40_000)
    assert close(np.bincount(last, minlength=4).astype(float), stationary, len(last))


def ends(graph: Adjacency, walks: int) -> Ints:
    """Where independent walks are after so many steps that their start no longer matters."""
    starts = np.arange(walks) % graph.nodes
    return first_order_walks(graph, starts, 60, np.random.default_rng(2))[:, -1]


@pytest.mark.parametrize("second", [False, True])
def test_a_walk_ends_where_no_edge_leads_on(second: bool) -> None:
    graph, random = graph_of({(0, 1): 1.0, (1, 2): 1.0}, 4), np.random.default_rng(0)
    starts = np.array([0, 1, 2, 3])
    if second:
        walks = second_order_walks(graph, starts, 5, 0.5, 2.0, random)
    else:
        walks = first_order_walks(graph, starts, 5, random)
    assert [[n for n in walk if n != NOWHERE] for walk in walks.tolist()] == [
        [0, 1, 2], [1, 2], [2], [3],
    ]  # fmt: skip
    sequences = sequences_of(walks)
    assert sequences.items.tolist() == [0, 1, 2, 1, 2, 2, 3]
    assert sequences.lengths.tolist() == [3, 2, 1, 1]


def test_walks_follow_edges_alone() -> None:
    random = np.random.default_rng(3)
    edges = {(int(a), int(b)): 1.0 for a, b in random.integers(0, 50, (300, 2)) if a != b}
    graph = graph_of(edges, 50)
    walks = second_order_walks(graph, np.arange(50), 30, 0.5, 3.0, random)
    steps = [(a, b) for walk in walks.tolist() for a, b in pairwise(walk)]
    assert {step for step in steps if NOWHERE not in step} <= set(edges)
    assert len(steps) > 1_000


def test_undirected_edges_weigh_what_both_directions_do() -> None:
    graph = graph_of({(0, 1): 1.0, (1, 0): 2.0, (1, 2): 3.0}, 3).undirected()
    assert graph.targets.tolist() == [1, 0, 2, 1]
    assert graph.weights.tolist() == [3.0, 3.0, 3.0, 3.0]

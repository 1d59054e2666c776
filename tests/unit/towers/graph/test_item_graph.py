from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towers.graph.item_graph import GraphRules, ItemGraph
from towers.graph.sessions import Visit


class Oracle:
    """The graph as dictionaries that fade at every look, after its rules in words."""

    def __init__(self, rules: GraphRules) -> None:
        self.rules = rules
        self.edges: dict[tuple[str, str], float] = {}
        self.seen: dict[str, int] = {}  # in order of arrival
        self.visits: dict[str, float] = defaultdict(float)
        self.now_ms: int | None = None
        self.new: list[Visit] = []

    def add(self, visit: Visit) -> None:
        if self.now_ms is None:
            self.now_ms = visit.ts_ms
        far = (visit.ts_ms - self.now_ms) / self.rules.half_life_ms > 100
        if len(self.new) >= self.rules.settle_every or far:
            self.settle(visit.ts_ms)
        known = visit.after in self.seen or visit.after in {one.item_id for one in self.new}
        self.new.append(visit if known else visit._replace(after=None))

    def settle(self, now_ms: int) -> None:
        if self.now_ms is None:
            return
        old_ms, self.now_ms = self.now_ms, max(now_ms, self.now_ms)
        fade = 0.5 ** ((self.now_ms - old_ms) / self.rules.half_life_ms)
        self.edges = {edge: weight * fade for edge, weight in self.edges.items()}
        self.visits = defaultdict(float, {n: w * fade for n, w in self.visits.items()})
        for visit in self.new:
            weight = 0.5 ** ((self.now_ms - visit.ts_ms) / self.rules.half_life_ms)
            self.visits[visit.item_id] += weight
            self.seen[visit.item_id] = max(self.seen.get(visit.item_id, 0), visit.ts_ms)
            if visit.after is not None:
                edge = visit.after, visit.item_id
                self.edges[edge] = self.edges.get(edge, 0.0) + weight
        self.new = []
        living = [n for n, ms in self.seen.items() if self.now_ms - ms <= self.rules.node_expiry_ms]
        order = {node: place for place, node in enumerate(self.seen)}
        living.sort(key=lambda node: (-self.seen[node], -order[node]))
        kept = set(living[: self.rules.max_nodes])
        self.seen = {node: ms for node, ms in self.seen.items() if node in kept}
        self.visits = defaultdict(float, {node: self.visits[node] for node in kept})
        heavy = [
            (edge, weight)
            for edge, weight in self.edges.items()
            if set(edge) <= kept and weight >= self.rules.least_weight
        ]
        heavy.sort(key=lambda one: (-one[1], order[one[0][0]], order[one[0][1]]))
        self.edges = dict(heavy[: self.rules.max_edges])


def edges_of(graph: ItemGraph) -> dict[tuple[str, str], float]:
    frozen, ids = graph.adjacency(), graph.item_ids
    return {
        (ids[source], ids[frozen.targets[edge]]): float(frozen.weights[edge])
        for source in range(frozen.nodes)
        for edge in range(frozen.offsets[source], frozen.offsets[source + 1])
    }


def visit(item: str, ts_ms: int, after: str | None = None) -> Visit:
    return Visit(0, item, ts_ms, after)


def test_an_edge_weighs_half_after_its_half_life() -> None:
    graph = ItemGraph(GraphRules(half_life_ms=100))
    for one in (visit("a", 0), visit("b", 0, "a"), visit("b", 100, "a"), visit("a", 100, "b")):
        graph.add(one)
    graph.settle(200)
    assert edges_of(graph) == {("a", "b"): 0.25 + 0.5, ("b", "a"): 0.5}
    assert dict(zip(graph.item_ids, graph.visits, strict=True)) == {"a": 0.75, "b": 0.75}


def test_nodes_and_edges_go_and_are_counted() -> None:
    rules = GraphRules(half_life_ms=100, least_weight=0.3, node_expiry_ms=1_000, max_edges=1)
    graph = ItemGraph(rules)
    for one in (visit("old", 0), visit("a", 900, "old"), visit("b", 1_000, "a")):
        graph.add(one)
    graph.settle(1_000)
    assert edges_of(graph) == {("a", "b"): 1.0}
    assert graph.edges_crowded_out == 1
    graph.settle(1_001)
    assert graph.item_ids == ["a", "b"]
    assert graph.nodes_expired == 1
    graph.settle(1_200)
    assert (edges_of(graph), graph.edges_faded) == ({}, 1)


def test_weights_stay_finite_over_many_half_lives() -> None:
    graph = ItemGraph(GraphRules(half_life_ms=1, node_expiry_ms=10**9, least_weight=1e-9))
    graph.add(visit("a", 0))
    graph.add(visit("b", 50_000, "a"))
    graph.add(visit("b", 50_001, "a"))
    graph.settle(50_001)
    assert edges_of(graph) == {("a", "b"): 1.5}


_VISITS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(-5, 60), st.sampled_from(["", *"abcdef"])),
    max_size=60,
)


@settings(max_examples=80, deadline=None)
@given(
    _VISITS,
    st.integers(1, 5),
    st.integers(1, 8),
    st.integers(1, 7),
    st.integers(20, 400),
    st.integers(0, 200),
    st.sampled_from([0.01, 0.3]),
)
def test_the_graph_is_the_dictionary(
    drawn: list[tuple[str, int, str]],
    max_nodes: int,
    max_edges: int,
    settle_every: int,
    node_expiry_ms: int,
    wait_ms: int,
    least_weight: float,
) -> None:
    rules = GraphRules(
        half_life_ms=37.0,
        least_weight=least_weight,
        node_expiry_ms=node_expiry_ms,
        max_nodes=max_nodes,
        max_edges=max_edges,
        settle_every=settle_every,
    )
    graph, oracle, now_ms = ItemGraph(rules), Oracle(rules), 1_000
    for item, pause_ms, after in drawn:
        now_ms += pause_ms
        one = visit(item, now_ms, after if after and after != item else None)
        graph.add(one)
        oracle.add(one)
    graph.settle(now_ms + wait_ms)
    oracle.settle(now_ms + wait_ms)
    assert graph.item_ids == list(oracle.seen)
    assert edges_of(graph) == pytest.approx(oracle.edges)
    assert graph.visits == pytest.approx([oracle.visits[node] for node in oracle.seen])
    assert len(graph.item_ids) <= max_nodes and len(edges_of(graph)) <= max_edges


def test_memory_stays_within_its_bounds() -> None:
    rules = GraphRules(max_nodes=100, max_edges=200, settle_every=500)
    graph, random = ItemGraph(rules), np.random.default_rng(0)
    before = None
    for moment in range(20_000):
        item = f"i{random.integers(5_000)}"
        graph.add(visit(item, moment, before))
        before = item
        assert len(graph.item_ids) <= rules.max_nodes + rules.settle_every
    graph.settle(20_000)
    frozen = graph.adjacency()
    assert frozen.nodes == 100 and len(frozen.targets) <= 200
    assert graph.nodes_crowded_out > 1_000

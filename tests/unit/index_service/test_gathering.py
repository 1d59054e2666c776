"""One search over several nodes, joined by a network of function calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from index_service.figures import NodeFigures
from index_service.gathering import Gatherer
from index_service.item_changes import ItemChange
from index_service.node_index import NodeIndex
from index_service.peers import Peers
from index_service.query import Query
from index_service.recall_core import Found
from index_service.shard_answers import ShardAnswers, read_shard_call
from index_service.shard_calls import ShardCalls
from index_service.shard_wire import to_wire
from schemas.codec import encode
from schemas.errors import DecodeError
from schemas.settings import IndexSettings, Settings, TowerSettings
from schemas.shards import NodeState, ShardAnswer, ShardCall
from schemas.topics import partition_of
from schemas.vectors import Float32Array, ItemVector, pack_vector

DIM, SHARDS, ITEMS, HEDGE_MS = 8, 4, 300, 40
SETTINGS = Settings(
    towers=TowerSettings(dim=DIM, epoch=3), index=IndexSettings(replica="a", hedge_ms=HEDGE_MS)
)
_drawn = np.random.default_rng(7).standard_normal((ITEMS, DIM), np.float32)
VECTORS = _drawn / np.linalg.norm(_drawn, axis=1, keepdims=True)
QUERIES = [
    Query(
        vector=VECTORS[number],
        k=20,
        scale=2.0,
        weights={"positives@5000": 0.5, "similar": 1.0},
        trend_clock=100.0,
        marks={"similar": {f"i{at}": 0.5 for at in range(30)}},
        conditions={"parity": number % 2},
        exclude=frozenset({"i1", "i2"}),
    )
    for number in range(4)
]


class Network:
    """Nodes by name; who is silent gets everything and answers nothing."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self._nodes: dict[str, ShardAnswers] = {}
        self.silent: set[str] = set()
        self.asked: list[tuple[str, list[int]]] = []
        self.headers: list[list[tuple[str, bytes]]] = []
        self.figures = NodeFigures()
        self.peers = Peers("me", "a")
        self.calls = ShardCalls(self._send, 0)

    def index(self, shards: range) -> NodeIndex:
        """The items that fall to these shards."""
        index = NodeIndex(SETTINGS, shards, self._executor)
        for number, vector in enumerate(VECTORS):
            item_id = f"i{number}"
            shard = partition_of(item_id.encode(), SHARDS)
            if shard in shards:
                counts = {"positives@5000": float(number % 7)}
                item = ItemVector(
                    item_id, 3, shard, pack_vector(vector), 100.0, counts, {"parity": number % 2}
                )
                index.apply(shard, ItemChange(item_id, item))
        return index

    def join(self, name: str, replica: str, shards: range) -> None:
        index = self.index(shards)
        self._nodes[name] = ShardAnswers(SETTINGS, index)
        self.peers.hear(NodeState(name, replica, sorted(shards), index.fields), now_ms())

    def gatherer(self, shards: range) -> Gatherer:
        index = self.index(shards)
        return Gatherer(SETTINGS, index, self.peers, self.calls, self.figures, now_ms, SHARDS)

    def _send(self, node: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        call = read_shard_call(value)
        self.asked.append((node, call.shards))
        self.headers.append(headers)
        if node not in self.silent:
            answer = encode(self._nodes[node].answer(call))
            asyncio.get_running_loop().call_later(0.002, self.calls.take, headers, answer)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def network() -> Iterator[Network]:
    with ThreadPoolExecutor(2) as executor:
        yield Network(executor)


def search(gatherer: Gatherer, patience_ms: int = 5_000) -> list[Found]:
    return asyncio.run(gatherer.search(QUERIES, now_ms() + patience_ms))


def assert_same(found: list[Found], truth: list[Found]) -> None:
    """The same items in the same order; a vector that travelled may differ in its last bit."""
    for one, other in zip(found, truth, strict=True):
        assert [item.item_id for item in one.items] == [item.item_id for item in other.items]
        scores = [item.score for item in other.items]
        assert [item.score for item in one.items] == pytest.approx(scores, rel=1e-6)
        assert one[1:3] == other[1:3]


def test_shards_over_nodes_give_what_one_node_gives(network: Network) -> None:
    whole = network.gatherer(range(SHARDS))
    assert whole.all_here
    truth = whole.search_here(QUERIES)
    assert network.asked == []
    network.join("n1", "a", range(1, 3))
    network.join("n2", "a", range(3, 4))
    mine = network.gatherer(range(1))
    assert not mine.all_here
    found = search(mine)
    assert sorted(network.asked) == [("n1", [1, 2]), ("n2", [3])]
    assert_same(found, truth)
    assert {each[1:] for each in found} == {(SHARDS, SHARDS, 3)}
    assert mine.known_fields() == ["parity"]


def test_who_does_not_answer_is_helped_by_the_other_replica(network: Network) -> None:
    truth = network.gatherer(range(SHARDS)).search_here(QUERIES)
    network.join("n1", "a", range(1, 4))
    network.join("n2", "b", range(4))
    network.silent.add("n1")
    mine = network.gatherer(range(1))
    assert_same(search(mine), truth)
    assert network.asked == [("n1", [1, 2, 3]), ("n2", [1, 2, 3])]
    assert network.figures.counts["hedged"] == 1
    network.asked.clear()
    assert_same(search(mine), truth)  # no time is lost on it again until it speaks
    assert network.asked == [("n2", [1, 2, 3])]


def test_what_is_missing_at_the_deadline_is_told(network: Network) -> None:
    network.join("n1", "a", range(2, 4))
    network.silent.add("n1")
    found = search(network.gatherer(range(2)), patience_ms=150)
    here = network.gatherer(range(2)).search_here(QUERIES)
    assert_same(found, here)
    assert {each[1:3] for each in found} == {(2, SHARDS)}


def test_an_unknown_field_is_one_only_when_all_shards_are_known(network: Network) -> None:
    mine = network.gatherer(range(1))
    assert mine.known_fields() is None
    network.join("n1", "a", range(1, 4))
    assert mine.known_fields() == ["parity"]


def test_an_answer_to_other_queries_is_refused(network: Network) -> None:
    async def ask() -> None:
        call = ShardCall("n1", [1], [to_wire(query) for query in QUERIES])
        network.silent.add("n1")
        future = network.calls.ask(call, now_ms() + 1_000)
        (headers,) = network.headers
        with pytest.raises(DecodeError, match="to 4 queries; got 1"):
            network.calls.take(headers, encode(ShardAnswer("ok", [1], [[]])))
        assert not future.done()
        network.calls.take(headers, encode(ShardAnswer("error")))
        assert (await future).status == "error"

    asyncio.run(ask())


def test_shards_that_nobody_holds_are_not_waited_for(network: Network) -> None:
    found = search(network.gatherer(range(3)), patience_ms=3_600_000)  # longer than a test may take
    assert {each[1:3] for each in found} == {(3, SHARDS)}


def test_a_shard_that_has_moved_on_is_asked_for_elsewhere(network: Network) -> None:
    truth = network.gatherer(range(SHARDS)).search_here(QUERIES)
    network.join("n1", "a", range(1, 2))
    network.peers.hear(NodeState("n1", "a", [1, 2, 3]), now_ms())  # so it said once
    network.join("n2", "b", range(4))
    assert_same(search(network.gatherer(range(1))), truth)
    assert network.asked == [("n1", [1, 2, 3]), ("n2", [2, 3])]


def test_vectors_of_items_come_from_the_shards_that_hold_them(network: Network) -> None:
    network.join("n1", "a", range(1, 4))
    mine = network.gatherer(range(1))
    ids = [f"i{number}" for number in range(12)]
    known = asyncio.run(mine.vectors_of([*ids, "nobody"], now_ms() + 5_000))
    assert sorted(known) == sorted(ids)
    expected: dict[str, Float32Array] = {f"i{at}": VECTORS[at] for at in range(12)}
    for item_id, vector in known.items():
        np.testing.assert_allclose(vector, expected[item_id], rtol=1e-6)
    for node, shards in network.asked:
        assert (node, set(shards) <= {1, 2, 3}) == ("n1", True)

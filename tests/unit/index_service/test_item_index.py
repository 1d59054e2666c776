"""An index, exact and with a graph, against a dict and plain arithmetic."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_service.backend import Neighbours
from index_service.item_index import ItemIndex
from index_service.query import Query
from schemas.errors import DecodeError
from schemas.recall import Channel, RecalledItem
from schemas.settings import IndexSettings, Settings, TowerSettings
from schemas.vectors import Float32Array, ItemVector, pack_vector, unpack_vector
from tests.support.step_executor import StepExecutor

DIM = 8
NAMES = ("positives@100", "exposures@100", "positives@9")


class World:
    """An index, the truth about it, and a seeded source of items.

    Its backend is the one that leaves something behind and is built anew.
    """

    def __init__(self, seed: int, exact_below: int, **index: Any) -> None:
        self.rng = np.random.default_rng(seed)
        self.executor = StepExecutor()
        config = Settings(
            towers=TowerSettings(dim=DIM),
            index=IndexSettings(
                **{"backend": "hnsw", **index},
                exact_below=exact_below,
                rebuild_dead_share=0.3,
                max_unwritten=20,
            ),
        )
        self.index = ItemIndex(config, self.executor, lambda: 0.0)  # a clock that brings no check
        self.share = config.index.trending_share
        self.truth: dict[str, ItemVector] = {}

    def vector(self) -> bytes:
        raw = self.rng.normal(size=DIM)
        return pack_vector((raw / np.linalg.norm(raw)).astype(np.float32))

    def upsert(self, item_id: str, **changes: Any) -> None:
        item = ItemVector(
            item_id=item_id,
            epoch=1,
            step=1,
            vector=self.vector(),
            trend_clock=float(self.rng.random() * 1_000),
            counts={
                name: float(self.rng.random() * 500) for name in NAMES if self.rng.random() < 0.9
            },
            attributes={"city": f"c{self.rng.integers(3)}", "price": int(self.rng.integers(9))},
        )
        item = msgspec.structs.replace(item, **changes)
        self.index.upsert(item)
        self.truth[item_id] = item

    def delete(self, item_id: str) -> None:
        self.index.delete(item_id)
        self.truth.pop(item_id, None)

    def churn(self, operations: int, items: int = 60) -> None:
        for _ in range(operations):
            item_id = str(self.rng.integers(items))
            if self.rng.random() < 0.3:
                self.delete(item_id)
            else:
                self.upsert(item_id, available=bool(self.rng.random() < 0.9))

    def query(self, **changes: Any) -> Query:
        fields: dict[str, Any] = {
            "vector": unpack_vector(self.vector()),
            "k": 5,
            "scale": 3.0,
            "weights": {"positives@100": 0.7},
            "trend_clock": 600.0,  # some items are from after it
        }
        return Query(**{**fields, **changes})

    def marks(self, count: int) -> dict[str, dict[str, float]]:
        """Some of the items, and some that are not in."""
        return {
            name: {str(self.rng.integers(80)): float(self.rng.random()) for _ in range(count)}
            for name in ("similar", "recent", "context:city", "of no weight")
        }

    def settle(self) -> None:
        """Let the index finish whatever it builds."""
        self.index.tend()
        while self.executor.waiting:
            self.executor.step()
            self.index.tend()

    def check(self, query: Query) -> list[RecalledItem]:
        found = self.index.search(query)
        expected = expected_items(self.truth, query, self.share)
        assert [item.item_id for item in found] == [item.item_id for item in expected]
        assert [item.channel for item in found] == [item.channel for item in expected]
        for item, wanted in zip(found, expected, strict=True):
            assert item.score == pytest.approx(wanted.score, rel=1e-4, abs=1e-5)
        return found


def bias(item: ItemVector, weights: Mapping[str, float], clock: float) -> float:
    total = 0.0
    for name, count in item.counts.items():
        age = max(clock - item.trend_clock, 0.0)
        faded = count * math.exp2(-age / float(name.partition("@")[2]))
        total += weights.get(name, 0.0) * math.log1p(faded / 0.1)
    return total


def allowed_by(query: Query, item: ItemVector) -> bool:
    met = all(item.attributes.get(field) == value for field, value in query.conditions.items())
    return item.available and met and item.item_id not in query.exclude


def expected_items(truth: dict[str, ItemVector], query: Query, share: float) -> list[RecalledItem]:
    """The rule in plain words: who is proposed by a channel, ranked by one score."""
    clock, vector = query.trend_clock, query.vector
    allowed = [item for item in truth.values() if allowed_by(query, item)]

    def cosine(item: ItemVector) -> float:
        return 0.0 if vector is None else float(unpack_vector(item.vector) @ vector)

    def score(item: ItemVector) -> float:
        marked = sum(
            query.weights.get(name, 0.0) * values.get(item.item_id, 0.0)
            for name, values in query.marks.items()
        )
        return query.scale * cosine(item) + bias(item, query.weights, clock) + marked

    def best(count: int, key: Callable[[ItemVector], float]) -> list[str]:
        return [item.item_id for item in sorted(allowed, key=key, reverse=True)[:count]]

    trending = math.ceil(query.k if vector is None else share * query.k)
    channels: dict[str, Channel] = {}
    for name in ("context:city", "of no weight"):
        channels |= dict.fromkeys(query.marks.get(name, {}), "trending")
    channels |= dict.fromkeys(best(trending, lambda i: bias(i, query.weights, clock)), "trending")
    channels |= dict.fromkeys(query.marks.get("similar", {}), "similar")
    if vector is not None:
        channels |= dict.fromkeys(best(2 * query.k + 20, cosine), "nearest")
    channels |= dict.fromkeys(query.marks.get("recent", {}), "recent")
    scored = [
        RecalledItem(item.item_id, score(item), channels[item.item_id])
        for item in allowed
        if item.item_id in channels
    ]
    return sorted(scored, key=lambda item: -item.score)[: query.k]


@pytest.mark.parametrize("exact_below", [1_000, 0])
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    operations=st.integers(0, 150),
    k=st.integers(1, 70),
    city=st.none() | st.sampled_from(["c0", "c1", "nowhere"]),
    excluded=st.integers(0, 20),
    exposures=st.sampled_from([0.0, -0.2, 0.4]),
    marked=st.integers(0, 8),
)
def test_agrees_with_the_oracle_through_churn(
    exact_below: int,
    seed: int,
    operations: int,
    k: int,
    city: str | None,
    excluded: int,
    exposures: float,
    marked: int,
) -> None:
    world = World(seed, exact_below)
    for _ in range(2):
        world.churn(operations)
        world.settle()
        weights = {"positives@100": 0.7, "positives@9": -0.1, "exposures@100": exposures}
        weights |= {"similar": 2.0, "recent": -0.5, "context:city": 0.3}
        marks = world.marks(marked)
        exclude = frozenset(str(number) for number in range(excluded))
        conditions = {} if city is None else {"city": city}
        for vector in (unpack_vector(world.vector()), None):
            world.check(
                world.query(
                    k=k,
                    vector=vector,
                    weights=weights,
                    marks=marks,
                    conditions=conditions,
                    exclude=exclude,
                )
            )
    assert len(world.index) == len(world.truth)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), during=st.integers(0, 120), between=st.integers(0, 60))
def test_a_rebuild_takes_over_what_changes_meanwhile(seed: int, during: int, between: int) -> None:
    world = World(seed, exact_below=1)
    world.upsert("kept")  # so that it is never empty, and its graph never dropped
    world.churn(100)
    world.index.tend()  # starts to build
    assert len(world.executor.waiting) == 1
    world.churn(during)
    world.check(world.query())  # served without a graph meanwhile
    world.executor.step()
    world.churn(between)
    world.settle()
    world.settle()  # what changed meanwhile may call for the next one at once
    assert world.index.dead_share <= 0.3  # rebuild_dead_share
    for _ in range(3):
        world.check(world.query(k=10))


def test_a_rebuild_brings_the_dead_share_down_and_catches_up_with_many_changes() -> None:
    world = World(1, exact_below=1)
    for number in range(50):
        world.upsert(str(number))
    world.settle()
    assert (world.index.dead_share, world.index.figures()["rebuilds"]) == (0.0, 1)
    for number in range(50):
        world.upsert(str(number))
    assert world.index.behind  # 50 unwritten, of 20
    world.executor.step()
    assert (world.index.dead_share, world.index.behind) == (0.5, False)
    world.index.tend()
    for number in range(40):  # more than are left to be written later
        world.upsert(str(number))
    world.check(world.query())  # the old graph still serves
    world.executor.step()
    world.delete("0")
    world.check(world.query(k=60))
    while world.executor.waiting:
        world.executor.step()
    assert world.index.figures()["rebuilds"] == 2
    assert world.index.dead_share == pytest.approx(41 / 90)
    world.check(world.query(k=60))


def test_changes_are_written_once_and_the_newest_counts() -> None:
    world = World(11, exact_below=1)
    world.upsert("a")
    world.settle()
    for _ in range(30):
        world.upsert("a")
    world.upsert("b")
    world.delete("b")
    assert world.index.figures()["unwritten"] == 2
    world.check(world.query())
    world.executor.step()
    assert world.index.figures()["unwritten"] == 0
    assert world.index.dead_share == 1 / 2
    world.check(world.query())


@pytest.mark.parametrize("backend", ["exact", "faiss-ivf"])
def test_another_backend_by_its_name(backend: str) -> None:
    world = World(12, exact_below=1, backend=backend)
    for _ in range(3):
        world.churn(100)
        world.settle()
        world.check(world.query())
    assert world.index.figures()["rebuilds"] == (1 if backend == "faiss-ivf" else 0)


def test_the_most_trending_stay_right_through_changes() -> None:
    """With a pool of 20 of some 150 items; all changes of a round are fewer than it takes anew."""
    world = World(13, exact_below=1_000, trending_pool=20)
    for number in range(150):
        world.upsert(str(number), trend_clock=0.0)
    weights = {"positives@100": 0.7, "exposures@100": 0.2}
    for round_number in range(60):
        for conditions in ({}, {"city": "c1"}):
            world.check(world.query(k=4, vector=None, weights=weights, conditions=conditions))
            near = world.query(k=4, weights=weights, conditions=conditions, scale=0.01)
            exclude = frozenset(str(number) for number in range(round_number))
            world.check(dataclasses.replace(near, exclude=exclude))
        for _ in range(7):
            item_id = str(world.rng.integers(170))
            if world.rng.random() < 0.2:
                world.delete(item_id)
            else:
                world.upsert(item_id, trend_clock=0.0)


def test_many_queries_at_once_get_what_each_gets() -> None:
    for exact_below in (1, 1_000):
        world = World(14, exact_below)
        for number in range(300):
            world.upsert(str(number), attributes={"rare": number % 50 == 0, "half": number % 2})
        world.settle()
        some = [world.query(k=k) for k in (1, 5, 40, 3)]
        some += [world.query(conditions={"rare": True}), world.query(conditions={"half": 1})]
        some += [world.query(vector=None), world.query(exclude=frozenset(map(str, range(100))))]
        for query, found in zip(some, world.index.search_many(some), strict=True):
            assert [item.item_id for item in found] == [item.item_id for item in world.check(query)]
    assert world.index.search_many([]) == []


def test_a_graph_is_dropped_when_few_items_are_left() -> None:
    world = World(2, exact_below=20)
    for number in range(20):
        world.upsert(str(number))
    world.settle()
    for number in range(11):
        world.delete(str(number))
    world.executor.step()
    assert world.index.dead_share > 0
    world.index.tend()
    assert world.index.dead_share == 0.0
    assert len(world.check(world.query(k=30))) == 9


def test_a_filter_that_keeps_few_gives_all_of_them_from_a_large_graph() -> None:
    world = World(3, exact_below=1)
    for number in range(600):
        world.upsert(str(number), attributes={"rare": number % 100 == 0})
    world.settle()
    found = world.check(world.query(k=10, conditions={"rare": True}))
    assert {item.item_id for item in found} == {"0", "100", "200", "300", "400", "500"}


def test_excluding_the_nearest_still_gives_k() -> None:
    world = World(4, exact_below=1)
    for number in range(600):
        world.upsert(str(number))
    world.settle()
    query = world.query(k=5)
    nearest = frozenset(item.item_id for item in world.index.search(world.query(k=100)))
    near = sorted(world.truth, key=lambda each: -cosine_to(world.truth[each], query))[:80]
    found = world.check(world.query(k=5, vector=query.vector, exclude=frozenset(near) | nearest))
    assert len(found) == 5


def cosine_to(item: ItemVector, query: Query) -> float:
    assert query.vector is not None
    return float(unpack_vector(item.vector) @ query.vector)


def test_a_trending_item_far_from_the_query_comes_in_by_its_own_channel() -> None:
    world = World(5, exact_below=1_000)
    for number in range(200):
        world.upsert(str(number), counts={})
    query = world.query(k=3)
    assert query.vector is not None
    far = pack_vector(-query.vector)
    world.upsert("hot", vector=far, counts={"positives@100": 1e6}, trend_clock=600.0)
    hot = world.check(query)[0]
    assert (hot.item_id, hot.channel) == ("hot", "trending")
    # -scale + weight * log(1 + count / .1)
    assert hot.score == pytest.approx(-3.0 + 0.7 * math.log1p(1e7), rel=1e-5)


def test_unavailable_items_are_known_but_not_served() -> None:
    world = World(6, exact_below=1_000)
    world.upsert("a", available=False)
    world.upsert("b")
    assert [item.item_id for item in world.check(world.query())] == ["b"]
    assert world.index.vector_of("a") is not None
    assert world.index.vector_of("c") is None
    world.upsert("a", available=True)
    assert len(world.check(world.query())) == 2


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"vector": b"\0" * 4}, "must have 32 bytes"),
        ({"vector": b"\0" * 32}, "finite and not zero"),
        ({"vector": pack_vector(np.full(DIM, np.nan, dtype=np.float32))}, "finite and not zero"),
        ({"counts": {"positives@9": math.nan}}, "positives@9 must be finite"),
        ({"counts": {"exposures@9": -1.0}}, "exposures@9 must be finite"),
        ({"trend_clock": math.inf}, "trend_clock must be finite"),
    ],
)
def test_refuses_numbers_that_are_none_and_keeps_what_was(
    changes: dict[str, Any], rule: str
) -> None:
    world = World(7, exact_below=1_000)
    world.upsert("a")
    before = dict(world.truth)
    with pytest.raises(DecodeError, match=rule):
        world.upsert("a", **changes)
    world.truth = before
    world.check(world.query())


def test_an_empty_index_answers() -> None:
    world = World(8, exact_below=0)
    world.index.tend()
    assert world.check(world.query()) == []
    assert world.check(world.query(vector=None)) == []


def test_items_that_come_while_the_backend_is_searched_do_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(15, exact_below=1)
    for number in range(60):
        world.upsert(str(number))
    world.settle()
    world.upsert("0")  # something is unwritten
    query = world.query(weights={})
    old = {item_id: cosine_to(item, query) for item_id, item in world.truth.items()}
    live = world.index._live
    search_many = live.search_many

    def later(queries: Float32Array, k: int) -> list[Neighbours]:
        for number in range(600):  # more than there were slots for
            world.upsert(f"new {number}")
            while world.executor.waiting:
                world.executor.step()
        return search_many(queries, k)

    monkeypatch.setattr(live, "search_many", later)
    found = [item.item_id for item in world.index.search(query)]
    monkeypatch.undo()
    assert len(found) == query.k
    assert {*found} <= {*world.truth}
    assert [item_id for item_id in found if item_id in old] == [
        item_id for item_id in sorted(old, key=lambda each: -old[each]) if item_id in found
    ]
    world.check(query)

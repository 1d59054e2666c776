"""Two shards against a dictionary, through whatever may happen to them, in any order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from index_service.item_index import ItemIndex
from index_service.query import Query
from index_service.snapshot import Snapshot, read_snapshot, write_snapshot
from schemas.settings import IndexSettings, Settings, TowerSettings
from schemas.vectors import Float32Array, ItemVector, pack_vector
from tests.support.step_executor import StepExecutor

DIM = 8
SOURCE = "test.item-vectors"
SHARDS = (0, 1)
IDS = st.integers(0, 40).map(str)
SEEDS = st.integers(0, 2**32)


def unit_rows(seed: int, count: int) -> Float32Array:
    rows = np.random.default_rng(seed).normal(size=(count, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def shard_of(item_id: str) -> int:
    return int(item_id) % 2


class IndexStates(RuleBasedStateMachine):
    """Every answer is that of a dictionary; the log is what the dictionary went through."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.log: list[tuple[str, ItemVector | None]] = []
        self.truth: dict[str, ItemVector] = {}
        self.begin()

    def begin(self) -> None:
        """A new process: empty shards, and nothing in the background."""
        self.executor = StepExecutor()
        config = Settings(
            towers=TowerSettings(dim=DIM),
            # A graph from the fifth item on, rebuilt soon, with little left unwritten.
            index=IndexSettings(
                backend="hnsw", exact_below=5, rebuild_dead_share=0.3, max_unwritten=4
            ),
        )
        self.index = ItemIndex(config, self.executor, lambda: 0.0)

    def apply(self, item_id: str, item: ItemVector | None) -> None:
        if item is None:
            self.index.delete(item_id)
        else:
            self.index.upsert(item, shard_of(item_id))

    def publish(self, item_id: str, item: ItemVector | None) -> None:
        self.log.append((item_id, item))
        self.apply(item_id, item)
        self.truth.pop(item_id, None)
        if item is not None:
            self.truth[item_id] = item

    @rule(item_id=IDS, seed=SEEDS, available=st.integers(0, 9), city=st.integers(0, 2))
    def upsert(self, item_id: str, seed: int, available: int, city: int) -> None:
        vector = pack_vector(unit_rows(seed, 1)[0])
        attributes: dict[str, Any] = {"city": city}
        self.publish(
            item_id,
            ItemVector(item_id, 1, 1, vector, 0.0, attributes=attributes, available=available > 0),
        )

    @rule(seed=SEEDS, count=st.integers(1, 30))
    def upsert_many(self, seed: int, count: int) -> None:
        chance = np.random.default_rng(seed)
        for row in unit_rows(seed, count):
            item_id = str(chance.integers(40))
            self.publish(item_id, ItemVector(item_id, 1, 1, pack_vector(row), 0.0))

    @rule(item_id=IDS)
    def delete(self, item_id: str) -> None:
        self.publish(item_id, None)

    @rule(ids=st.sets(IDS, max_size=30))
    def delete_many(self, ids: set[str]) -> None:
        for item_id in sorted(ids):
            self.publish(item_id, None)

    @rule()
    def tend(self) -> None:
        self.index.tend()

    @precondition(lambda self: self.executor.waiting)
    @rule(last=st.booleans())
    def background(self, last: bool) -> None:
        """A write, or a build with its swap: jobs may end in another order."""
        self.executor.step(-1 if last else 0)

    def path(self, shard: int) -> Path:
        return Path(self.folder.name) / f"{shard}.shard"

    @rule(shard=st.sampled_from(SHARDS))
    def save(self, shard: int) -> None:
        state = self.index.copied(shard)
        write_snapshot(self.path(shard), Snapshot(SOURCE, len(self.log), 1, state))

    @rule()
    def save_while_it_changes(self) -> None:
        """The copy is of one moment; what comes later is read from the log again."""
        states, offset = [self.index.copied(shard) for shard in SHARDS], len(self.log)
        self.publish("0", None)
        self.upsert("1", offset, 1, 1)
        for shard, state in zip(SHARDS, states, strict=True):
            write_snapshot(self.path(shard), Snapshot(SOURCE, offset, 1, state))

    def load(self, shard: int) -> None:
        """From the newest snapshot, and the tail of the log."""
        snapshot = read_snapshot(self.path(shard), source=SOURCE, epoch=1, dim=DIM)
        start = 0
        if snapshot is not None:
            self.index.restore(snapshot.state, shard)
            start = snapshot.offset
        for item_id, item in self.log[start:]:
            if shard_of(item_id) == shard:
                self.apply(item_id, item)

    @rule()
    def restart(self) -> None:
        self.index.close()
        self.begin()
        for shard in SHARDS:
            self.load(shard)

    @rule(shard=st.sampled_from(SHARDS))
    def give_up_and_take_again(self, shard: int) -> None:
        """A shard goes to another node and comes back, beside one that stays."""
        assert self.index.drop_some(shard)  # there are few
        assert self.index.count_in(shard) == 0
        assert len(self.index) == self.index.count_in(1 - shard)
        self.load(shard)

    @rule(
        seed=SEEDS,
        k=st.integers(1, 45),
        city=st.none() | st.integers(0, 2),
        shard=st.none() | st.sampled_from(SHARDS),
    )
    def search(self, seed: int, k: int, city: int | None, shard: int | None) -> None:
        vector = unit_rows(seed, 1)[0]
        conditions = {} if city is None else {"city": city}
        exclude = frozenset(str(number) for number in range(seed % 5))
        found = self.index.search(
            Query(
                vector,
                k,
                1.0,
                {},
                0.0,
                conditions=conditions,
                exclude=exclude,
                shards=None if shard is None else frozenset([shard]),
            )
        )
        scores = {
            item_id: float(np.frombuffer(item.vector, dtype="<f4") @ vector)
            for item_id, item in self.truth.items()
            if item.available
            and item_id not in exclude
            and (city is None or item.attributes.get("city") == city)
            and (shard is None or shard_of(item_id) == shard)
        }
        ids = [item.item_id for item in found]
        # Items with the same vector come by their ids; where k cuts between them, any may come.
        assert ids == sorted(set(ids), key=lambda item_id: (-scores[item_id], item_id))
        best = sorted(scores.values(), reverse=True)[:k]
        np.testing.assert_allclose([scores[item_id] for item_id in ids], best, atol=1e-6)
        np.testing.assert_allclose([item.score for item in found], best, atol=1e-5)

    @invariant()
    def same_size(self) -> None:
        assert len(self.index) == len(self.truth)

    def teardown(self) -> None:
        self.index.close()
        self.folder.cleanup()


IndexStates.TestCase.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, derandomize=True
)
TestIndexStates = IndexStates.TestCase

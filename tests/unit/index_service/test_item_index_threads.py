"""An index that is written at full speed while others read it."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from index_service.item_index import ItemIndex
from index_service.query import Query
from schemas.settings import BackendName, IndexSettings, Settings, TowerSettings
from schemas.vectors import Float32Array, ItemVector, pack_vector

DIM = 32
ITEMS = 1_500
VERSIONS = 4
READERS = 4
SECONDS = float(os.environ.get("PENSTOCK_TEST_CONCURRENCY_S", "4"))
"""For each backend, at least; the proof takes 60."""
PATIENCE_S = 60.0
"""How much longer it may take until a backend has been built anew."""


def versions() -> Float32Array:
    rows = np.random.default_rng(5).normal(size=(VERSIONS, ITEMS, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=2, keepdims=True), dtype=np.float32)


class Watch:
    """Writes to an index, reads it, and compares what is read with what was ever written."""

    def __init__(self, index: ItemIndex) -> None:
        self.index = index
        self.vectors = versions()  # (VERSIONS, ITEMS, DIM)
        self.gone = np.zeros(ITEMS, dtype=np.int64)  # times that a delete was acknowledged
        self.back = np.zeros(ITEMS, dtype=np.int64)  # times that a return was begun
        self.over = threading.Event()
        self.problems: list[str] = []
        self.done: Counter[str] = Counter()

    def put(self, number: int, version: int) -> None:
        vector = pack_vector(self.vectors[version, number])
        self.index.upsert(ItemVector(str(number), 1, 1, vector, 0.0, {"positives@9": 1.0}))

    def write(self) -> None:
        chance = np.random.default_rng(6)
        for operation in itertools.count():
            if self.over.is_set():
                return
            number, version = int(chance.integers(ITEMS)), int(chance.integers(VERSIONS))
            if self.gone[number] > self.back[number]:
                self.back[number] += 1
                self.put(number, version)
            elif chance.random() < 0.2:
                self.index.delete(str(number))
                self.gone[number] += 1
            else:
                self.put(number, version)
            self.done["writes"] += 1
            if operation % 50 == 0:
                self.index.tend()
                while self.index.behind and not self.over.is_set():
                    time.sleep(0.001)

    def read(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        while not self.over.is_set():
            queries = chance.normal(size=(3, DIM)).astype(np.float32)
            queries /= np.linalg.norm(queries, axis=1, keepdims=True)
            returns = self.back.copy()
            deleted = self.gone > returns  # before the search begins
            asked = [Query(row, 30, 1.0, {}, 0.0) for row in queries]
            for query, found in zip(queries, self.index.search_many(asked), strict=True):
                at = np.array([int(item.item_id) for item in found])
                scores = self.vectors[:, at] @ query  # (VERSIONS, 30)
                gaps = np.abs(scores - np.array([item.score for item in found])).min(axis=0)
                if gaps.max() > 1e-5:
                    self.problems.append(f"a score of no version: off by {gaps.max()}")
                if (deleted[at] & (self.back[at] == returns[at])).any():
                    self.problems.append("an item that was deleted before the search")
                if len(found) != 30 or len(set(at.tolist())) != 30:
                    self.problems.append(
                        f"{len(found)} items, {len(set(at.tolist()))} of them once"
                    )
            self.done["reads"] += len(queries)

    def guarded(self, work: object, *args: object) -> None:
        try:
            work(*args)  # type: ignore[operator]
        except Exception as error:
            self.problems.append(repr(error))
            raise


@pytest.mark.parametrize("backend", ["hnsw", "faiss-ivf"])
@pytest.mark.timeout(2 * PATIENCE_S + 2 * SECONDS)
def test_readers_and_a_writer_do_not_disturb_one_another(backend: BackendName) -> None:
    config = Settings(
        towers=TowerSettings(dim=DIM),
        index=IndexSettings(
            backend=backend, exact_below=500, rebuild_dead_share=0.3, max_unwritten=500
        ),
    )
    wanted = 2 if backend == "hnsw" else 1  # what Faiss leaves behind is nothing
    with ThreadPoolExecutor(2) as jobs:
        watch = Watch(ItemIndex(config, jobs))
        for number in range(ITEMS):
            watch.put(number, 0)
        threads = [threading.Thread(target=watch.guarded, args=(watch.write,))]
        threads += [
            threading.Thread(target=watch.guarded, args=(watch.read, seed))
            for seed in range(READERS)
        ]
        for thread in threads:
            thread.start()
        ends_s = time.monotonic() + SECONDS
        while time.monotonic() < ends_s or (
            watch.index.figures()["rebuilds"] < wanted and time.monotonic() < ends_s + PATIENCE_S
        ):
            time.sleep(0.05)
        watch.over.set()
        for thread in threads:
            thread.join()
        figures = watch.index.figures()
        watch.index.close()
    assert watch.problems == []
    assert min(watch.done.values()) > 50
    assert figures["rebuilds"] >= wanted
    print(dict(watch.done), figures)

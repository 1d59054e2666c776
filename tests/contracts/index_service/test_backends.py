"""What every index backend must do, under each metric it has, against brute force over a dict."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pytest

from index_service.backend import Backend, Metric
from index_service.backends import make_backend
from index_service.faiss_ivf import FaissIvfBackend
from index_service.hnsw import HnswBackend
from index_service.item_index import ItemIndex
from index_service.query import Query
from index_service.slots import IntArray
from schemas.errors import EnvironmentProblem, SnapshotError
from schemas.settings import BackendName, IndexSettings, Settings, TowerSettings
from schemas.vectors import Float32Array, ItemVector, pack_vector
from tests.support.step_executor import StepExecutor

DIM = 16
KINDS: list[tuple[BackendName, Metric]] = [
    ("exact", "cosine"),
    ("exact", "ip"),
    ("exact", "l2"),
    ("hnsw", "cosine"),
    ("hnsw", "ip"),
    ("hnsw", "l2"),
    ("faiss-ivf", "cosine"),
    ("faiss-ivf", "ip"),
    ("faiss-ivf", "l2"),
    ("faiss-lsh", "cosine"),
    ("milvus", "cosine"),
]
if "PENSTOCK_TEST_ALL_METRICS" in os.environ:  # Milvus takes a second a test
    KINDS += [("milvus", "ip"), ("milvus", "l2")]


class Kind(NamedTuple):
    """One backend under one metric."""

    name: BackendName
    metric: Metric
    folder: Path

    def make(self, dim: int = DIM, metric: Metric | None = None) -> Backend:
        return make_backend(self.settings().index, dim, metric or self.metric, self.name)

    def settings(self) -> Settings:
        """With a backend from the first item on."""
        index = IndexSettings(
            backend=self.name, milvus_url=str(self.folder / "milvus.db"), exact_below=1
        )
        return Settings(towers=TowerSettings(dim=DIM), index=index)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, as Milvus Lite takes its time to open one."""
    return tmp_path_factory.mktemp("milvus")


@pytest.fixture(params=KINDS, ids="-".join, scope="module")
def kind(request: pytest.FixtureRequest, folder: Path) -> Kind:
    name, metric = request.param
    return Kind(name, metric, folder)


@pytest.fixture
def backend(kind: Kind) -> Iterator[Backend]:
    made = kind.make()
    yield made
    made.close()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def unit_rows(rng: np.random.Generator, count: int) -> Float32Array:
    rows = rng.normal(size=(count, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def rows_of(rng: np.random.Generator, count: int) -> Float32Array:
    """Of several lengths, which a cosine must not see and the others must."""
    return unit_rows(rng, count) * rng.uniform(0.5, 2.0, size=(count, 1)).astype(np.float32)


def score(vector: Float32Array, query: Float32Array, metric: Metric) -> float:
    one, other = vector.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        return -float(((one - other) ** 2).sum())
    length = float(np.linalg.norm(one) * np.linalg.norm(other)) if metric == "cosine" else 1.0
    return float(one @ other) / length


def keys_of(*keys: int) -> IntArray:
    return np.array(keys, dtype=np.intp)


def nearest_keys(
    truth: dict[int, Float32Array], query: Float32Array, k: int, metric: Metric = "cosine"
) -> list[int]:
    keys, rows = list(truth), np.stack(list(truth.values())).astype(np.float64)
    if metric == "l2":
        scores = -((rows - query) ** 2).sum(axis=1)
    else:
        lengths = np.linalg.norm(rows, axis=1) if metric == "cosine" else 1.0
        scores = rows @ query / lengths
    return [keys[at] for at in np.argsort(-scores)[:k]]


def recall(
    backend: Backend, truth: dict[int, Float32Array], queries: Float32Array, metric: Metric
) -> float:
    found = backend.search_many(queries, 10)
    hits = [
        len(set(each.keys.tolist()) & set(nearest_keys(truth, query, 10, metric)))
        for query, each in zip(queries, found, strict=True)
    ]
    return sum(hits) / (len(queries) * min(10, len(truth)))


def test_finds_the_nearest_with_their_scores(
    kind: Kind, backend: Backend, rng: np.random.Generator
) -> None:
    rows = rows_of(rng, 200)
    truth = {3 * at: row for at, row in enumerate(rows)}
    backend.upsert(keys_of(*truth), rows)
    for query in rows_of(rng, 20):
        found = backend.search(query, 5)
        assert found.keys.tolist() == nearest_keys(truth, query, 5, kind.metric)
        expected = [score(truth[key], query, kind.metric) for key in found.keys.tolist()]
        np.testing.assert_allclose(found.scores, expected, atol=1e-5)


def test_many_at_once_find_what_each_finds(backend: Backend, rng: np.random.Generator) -> None:
    backend.upsert(np.arange(300), rows_of(rng, 300))
    queries = rows_of(rng, 7)
    for query, found in zip(queries, backend.search_many(queries, 12), strict=True):
        alone = backend.search(query, 12)
        assert found.keys.tolist() == alone.keys.tolist()
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)
    assert backend.search_many(queries[:0], 3) == []


def test_empty_finds_nothing(backend: Backend, rng: np.random.Generator) -> None:
    found = backend.search(unit_rows(rng, 1)[0], 3)
    assert (found.keys.tolist(), found.scores.shape, len(backend)) == ([], (0,), 0)


def test_update_moves_an_item(kind: Kind, backend: Backend, rng: np.random.Generator) -> None:
    old, new = unit_rows(rng, 2)
    backend.upsert(keys_of(7), old[np.newaxis])
    backend.upsert(keys_of(7), new[np.newaxis])
    found = backend.search(new, 5)
    assert (found.keys.tolist(), len(backend)) == ([7], 1)
    assert found.scores[0] == pytest.approx(score(new, new, kind.metric), abs=1e-5)


def test_delete_and_insert_again(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 3)
    backend.upsert(keys_of(0, 1, 2), rows)
    backend.delete(keys_of(1, 9_999, 1))  # one that was never there, and one twice
    assert sorted(backend.search(rows[1], 3).keys.tolist()) == [0, 2]
    backend.delete(keys_of(1))
    assert len(backend) == 2
    backend.upsert(keys_of(1), rows[1:2])
    assert backend.search(rows[1], 1).keys.tolist() == [1]


def test_all_deleted_finds_nothing(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 40)
    backend.upsert(np.arange(40), rows)
    backend.delete(np.arange(40))
    assert (backend.search(rows[0], 10).keys.tolist(), len(backend)) == ([], 0)
    backend.upsert(keys_of(40), rows[:1])
    assert backend.search(rows[0], 10).keys.tolist() == [40]


def test_of_duplicates_in_one_call_the_last_counts(
    kind: Kind, backend: Backend, rng: np.random.Generator
) -> None:
    rows = unit_rows(rng, 4)
    backend.upsert(keys_of(0, 1, 0, 0), rows)
    found = backend.search(rows[3], 4)
    assert (sorted(found.keys.tolist()), len(backend)) == ([0, 1], 2)
    assert found.keys[0] == 0
    assert found.scores[0] == pytest.approx(score(rows[3], rows[3], kind.metric), abs=1e-5)


def test_k_around_and_above_the_number_of_items(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 100)
    backend.upsert(np.arange(100), rows)
    backend.delete(np.arange(50))
    for k in (49, 50, 51, 5_000):
        found = backend.search(rows[60], k).keys.tolist()
        assert len(found) == len(set(found)) == min(k, 50)
        assert set(found) <= set(range(50, 100))


def test_keys_may_come_in_any_order_and_with_gaps(
    backend: Backend, rng: np.random.Generator
) -> None:
    keys = [5_000, 3, 0, 70_000, 12]
    rows = unit_rows(rng, len(keys))
    for key, row in zip(keys, rows, strict=True):
        backend.upsert(keys_of(key), row[np.newaxis])
    for at, key in enumerate(keys):
        assert backend.search(rows[at], 1).keys.tolist() == [key]
        backend.delete(keys_of(key))
        assert sorted(backend.search(rows[at], 99).keys.tolist()) == sorted(keys[at + 1 :])


@pytest.mark.parametrize("name", get_args(BackendName))
def test_any_text_is_an_id(name: BackendName, folder: Path, rng: np.random.Generator) -> None:
    """Of an item in an index whose backend this is."""
    ids = ["", " ", "日本語", "a\x00b", "x" * 256, "-1", "🙂", "'; --", "1", "1.0"]
    rows = unit_rows(rng, len(ids))
    executor = StepExecutor()
    index = ItemIndex(Kind(name, "cosine", folder).settings(), executor, lambda: 0.0)

    def settle() -> None:
        index.tend()
        while executor.waiting:
            executor.step()

    def found(at: int, k: int) -> list[str]:
        query = Query(rows[at], k, scale=1.0, weights={}, trend_clock=0.0)
        return [item.item_id for item in index.search(query)]

    for item_id, row in zip(ids, rows, strict=True):
        index.upsert(ItemVector(item_id, 1, 1, pack_vector(row), 0.0))
    settle()
    assert index.figures()["rebuilds"] == (0 if name == "exact" else 1)
    for at, item_id in enumerate(ids):
        assert found(at, 1) == [item_id]
        index.delete(item_id)
        settle()
        assert sorted(found(at, 99)) == sorted(ids[at + 1 :])
    index.close()


def test_refuses_numbers_that_are_not_finite_and_changes_nothing(
    backend: Backend, rng: np.random.Generator
) -> None:
    rows = unit_rows(rng, 3)
    backend.upsert(keys_of(0), rows[:1])
    for bad in (np.nan, np.inf, -np.inf):
        rows[1, 5] = bad
        with pytest.raises(ValueError, match=r"must be finite; row 1"):
            backend.upsert(keys_of(0, 1, 2), rows)
        assert len(backend) == 1
        with pytest.raises(ValueError, match="query must be finite"):
            backend.search(rows[1], 1)


def test_refuses_wrong_shapes(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 2)
    with pytest.raises(ValueError, match=r"shape \(2, 16\); got \(2, 15\)"):
        backend.upsert(keys_of(0, 1), rows[:, :15])
    with pytest.raises(ValueError, match=r"shape \(3, 16\); got \(2, 16\)"):
        backend.upsert(keys_of(0, 1, 2), rows)
    with pytest.raises(ValueError, match=r"shape \(16,\); got \(15,\)"):
        backend.search(rows[0, :15], 1)
    with pytest.raises(ValueError, match="k must be at least 1; got 0"):
        backend.search(rows[0], 0)
    with pytest.raises(ValueError, match=r"shape \(queries, 16\); got \(16,\)"):
        backend.search_many(rows[0], 1)
    assert len(backend) == 0


def test_an_empty_call_changes_nothing(backend: Backend) -> None:
    backend.upsert(keys_of(), np.empty((0, DIM), dtype=np.float32))
    backend.delete(keys_of())
    assert len(backend) == 0


def test_a_cosine_needs_a_direction(kind: Kind, backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 2)
    rows[1] = 0
    if kind.metric != "cosine":
        backend.upsert(keys_of(0, 1), rows)
        assert len(backend) == 2
        return
    with pytest.raises(ValueError, match="needs a direction; row 1 is zero"):
        backend.upsert(keys_of(0, 1), rows)
    assert len(backend) == 0
    backend.upsert(keys_of(0), rows[:1])
    assert backend.search(rows[1], 1).keys.tolist() == [0]  # near nothing, so all are equally near


def test_recall_stays_high_through_churn(
    kind: Kind, backend: Backend, rng: np.random.Generator
) -> None:
    """Rounds of updates, deletes and inserts, which in all replace the items several times."""
    truth: dict[int, Float32Array] = {}
    rounds, size = 20, 300
    if kind.name == "milvus":
        rounds = 4
    if kind.name == "faiss-ivf":
        size = 700  # with fewer it learns no lists
        backend.breadth = 60  # of 89: these vectors lie anywhere
    for _ in range(rounds):
        keys = rng.integers(0, 4 * size, size=size)
        rows = rows_of(rng, size)
        backend.upsert(keys, rows)
        truth.update(zip(keys.tolist(), rows, strict=True))
        gone = rng.integers(0, 4 * size, size=size // 4)
        backend.delete(gone)
        for key in gone.tolist():
            truth.pop(key, None)
        assert len(backend) == len(truth)
        assert recall(backend, truth, rows_of(rng, 25), kind.metric) >= 0.95
    assert 0 <= backend.dead_share < 1


def test_breadth_may_be_widened(kind: Kind, backend: Backend, rng: np.random.Generator) -> None:
    rows = rows_of(rng, 2_100)
    truth = dict(enumerate(rows))
    backend.upsert(keys_of(*truth), rows)
    queries = rows_of(rng, 20)
    backend.breadth = 400
    assert backend.breadth == 400
    assert recall(backend, truth, queries, kind.metric) == 1.0


def test_what_was_saved_comes_back_and_goes_on(
    kind: Kind, backend: Backend, rng: np.random.Generator, tmp_path: Path
) -> None:
    rows = rows_of(rng, 120)
    keys = 2 * np.arange(120)
    backend.upsert(keys, rows)
    backend.upsert(keys[:20], rows[20:40])
    backend.delete(keys[100:])
    path = tmp_path / "saved"
    backend.save(path)
    other = kind.make()
    other.upsert(keys_of(1, 0), rows_of(rng, 2))
    other.load(path)
    assert len(other) == len(backend) == 100
    for query in rows_of(rng, 10):
        found, expected = other.search(query, 120), backend.search(query, 120)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        # The first 20 lie where the next 20 do, so equal scores may change places.
        known = keys[:100].tolist()
        assert sorted(found.keys.tolist()) == sorted(expected.keys.tolist()) == known
    other.upsert(keys_of(0, 1), rows[110:112])
    other.delete(keys_of(2))
    assert other.search(rows[111], 200).keys.tolist().count(1) == 1
    assert len(other) == 100
    other.close()


def test_an_empty_one_is_saved_too(kind: Kind, backend: Backend, tmp_path: Path) -> None:
    backend.save(tmp_path / "saved")
    backend.load(tmp_path / "saved")
    assert len(backend) == 0


def test_a_file_that_is_another_ones_or_damaged_is_refused(
    kind: Kind, backend: Backend, rng: np.random.Generator, tmp_path: Path
) -> None:
    path = tmp_path / "saved"
    backend.upsert(keys_of(0), rows_of(rng, 1))
    backend.save(path)
    other = kind.make(dim=8)
    with pytest.raises(SnapshotError, match=r"must be of backend, metric and dim .*8\); it is of"):
        other.load(path)
    other.close()
    with pytest.raises(SnapshotError, match="must exist"):
        backend.load(tmp_path / "missing")
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match="match its checksum"):
        backend.load(path)
    assert backend.search(np.ones(DIM, dtype=np.float32), 1).keys.tolist() == [0]


def test_searches_beside_a_writer_find_only_what_was_published(
    kind: Kind, backend: Backend, rng: np.random.Generator
) -> None:
    """An item is found with the score of one of its vectors, never of a half-written one."""
    size = 300 if kind.name == "milvus" else 600
    versions = [rows_of(rng, size) for _ in range(3)]  # (items, DIM) each
    keys = np.arange(size)
    backend.upsert(keys, versions[0])
    query = rows_of(rng, 1)[0]
    allowed = np.array([[score(row, query, kind.metric) for row in rows] for rows in versions])
    problems: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = backend.search(query, 50)
            gaps = np.abs(allowed[:, found.keys] - found.scores).min(axis=0)
            if gaps.max(initial=0) > 1e-5 or len(np.unique(found.keys)) != len(found.keys):
                problems.append(f"{found}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for rows in (*versions[1:], versions[0]):
        for start in range(0, size, 100):
            backend.upsert(keys[start : start + 100], rows[start : start + 100])
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    nowhere = IndexSettings(milvus_url=str(tmp_path / "missing" / "milvus.db"), backend="milvus")
    with pytest.raises(EnvironmentProblem, match=r"index\.milvus_url must be .*missing"):
        make_backend(nowhere, DIM)


def test_lists_are_learned_anew_as_items_come(rng: np.random.Generator) -> None:
    backend = FaissIvfBackend(DIM)
    backend.upsert(np.arange(1_999), unit_rows(rng, 1_999))
    assert backend.lists == 0
    backend.upsert(keys_of(1_999), unit_rows(rng, 1))
    assert backend.lists == 89  # 2 * sqrt(2,000)
    backend.upsert(np.arange(2_000, 8_000), unit_rows(rng, 6_000))
    assert backend.lists == 178  # 2 * sqrt(8,000)


def test_hnsw_counts_its_dead(rng: np.random.Generator) -> None:
    backend = HnswBackend(DIM, IndexSettings())
    assert backend.dead_share == 0
    backend.upsert(keys_of(0, 1, 2), unit_rows(rng, 3))
    backend.upsert(keys_of(0), unit_rows(rng, 1))
    backend.delete(keys_of(1))
    assert backend.dead_share == 2 / 4

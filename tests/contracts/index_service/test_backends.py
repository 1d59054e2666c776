"""What every index backend must do, against brute force over a plain dict."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from index_service.backend import Backend
from index_service.exact import ExactBackend
from index_service.hnsw import HnswBackend
from schemas.settings import IndexSettings
from schemas.vectors import Float32Array

DIM = 16
MAKERS: dict[str, Callable[[], Backend]] = {
    "exact": lambda: ExactBackend(DIM),
    "hnsw": lambda: HnswBackend(DIM, IndexSettings()),
}


@pytest.fixture(params=MAKERS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return MAKERS[request.param]()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def unit_rows(rng: np.random.Generator, count: int) -> Float32Array:
    rows = rng.normal(size=(count, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def nearest_ids(truth: dict[str, Float32Array], query: Float32Array, k: int) -> list[str]:
    return sorted(truth, key=lambda item_id: -float(truth[item_id] @ query))[:k]


def recall(backend: Backend, truth: dict[str, Float32Array], queries: Float32Array) -> float:
    hits = [
        len(set(backend.search(query, 10).ids) & set(nearest_ids(truth, query, 10)))
        for query in queries
    ]
    return sum(hits) / (len(queries) * min(10, len(truth)))


def test_finds_the_nearest_with_their_cosines(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 200)
    truth = {f"item-{at}": row for at, row in enumerate(rows)}
    backend.upsert(list(truth), rows)
    for query in unit_rows(rng, 20):
        found = backend.search(query, 5)
        assert found.ids == nearest_ids(truth, query, 5)
        expected = [float(truth[item_id] @ query) for item_id in found.ids]
        np.testing.assert_allclose(found.cosines, expected, atol=1e-5)


def test_empty_finds_nothing(backend: Backend, rng: np.random.Generator) -> None:
    found = backend.search(unit_rows(rng, 1)[0], 3)
    assert (found.ids, found.cosines.shape, len(backend)) == ([], (0,), 0)


def test_update_moves_an_item(backend: Backend, rng: np.random.Generator) -> None:
    old, new = unit_rows(rng, 2)
    backend.upsert(["a"], old[np.newaxis])
    backend.upsert(["a"], new[np.newaxis])
    found = backend.search(new, 5)
    assert (found.ids, len(backend)) == (["a"], 1)
    np.testing.assert_allclose(found.cosines, [1.0], atol=1e-5)


def test_delete_and_insert_again(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 3)
    backend.upsert(["a", "b", "c"], rows)
    backend.delete(["b", "never-there"])
    assert sorted(backend.search(rows[1], 3).ids) == ["a", "c"]
    backend.delete(["b"])
    assert len(backend) == 2
    backend.upsert(["b"], rows[1:2])
    assert backend.search(rows[1], 1).ids == ["b"]


def test_all_deleted_finds_nothing(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 40)
    ids = [str(at) for at in range(40)]
    backend.upsert(ids, rows)
    backend.delete(ids)
    assert (backend.search(rows[0], 10).ids, len(backend)) == ([], 0)
    backend.upsert(["again"], rows[:1])
    assert backend.search(rows[0], 10).ids == ["again"]


def test_of_duplicates_in_one_call_the_last_counts(
    backend: Backend, rng: np.random.Generator
) -> None:
    rows = unit_rows(rng, 4)
    backend.upsert(["a", "b", "a", "a"], rows)
    found = backend.search(rows[3], 4)
    assert (sorted(found.ids), len(backend)) == (["a", "b"], 2)
    assert found.ids[0] == "a"
    np.testing.assert_allclose(found.cosines[0], 1.0, atol=1e-5)


@pytest.mark.parametrize("k", [49, 50, 51, 5_000])
def test_k_around_and_above_the_number_of_items(
    backend: Backend, rng: np.random.Generator, k: int
) -> None:
    rows = unit_rows(rng, 100)
    backend.upsert([str(at) for at in range(100)], rows)
    backend.delete([str(at) for at in range(50)])
    found = backend.search(rows[60], k).ids
    assert len(found) == len(set(found)) == min(k, 50)
    assert {int(item_id) for item_id in found} <= set(range(50, 100))


@pytest.mark.parametrize("item_id", ["", " ", "日本語", "a\x00b", "x" * 256, "-1", "🙂", "'; --"])
def test_any_text_is_an_id(backend: Backend, rng: np.random.Generator, item_id: str) -> None:
    rows = unit_rows(rng, 2)
    backend.upsert([item_id, "other"], rows)
    assert backend.search(rows[0], 1).ids == [item_id]
    backend.delete([item_id])
    assert backend.search(rows[0], 2).ids == ["other"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_numbers_that_are_not_finite_and_changes_nothing(
    backend: Backend, rng: np.random.Generator, bad: float
) -> None:
    rows = unit_rows(rng, 3)
    backend.upsert(["a"], rows[:1])
    rows[1, 5] = bad
    with pytest.raises(ValueError, match=r"must be finite; row 1"):
        backend.upsert(["a", "b", "c"], rows)
    assert len(backend) == 1
    with pytest.raises(ValueError, match="query must be finite"):
        backend.search(rows[1], 1)


def test_refuses_wrong_shapes(backend: Backend, rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 2)
    with pytest.raises(ValueError, match=r"shape \(2, 16\); got \(2, 15\)"):
        backend.upsert(["a", "b"], rows[:, :15])
    with pytest.raises(ValueError, match=r"shape \(3, 16\); got \(2, 16\)"):
        backend.upsert(["a", "b", "c"], rows)
    with pytest.raises(ValueError, match=r"shape \(16,\); got \(15,\)"):
        backend.search(rows[0, :15], 1)
    with pytest.raises(ValueError, match="k must be at least 1; got 0"):
        backend.search(rows[0], 0)
    assert len(backend) == 0


def test_an_empty_call_changes_nothing(backend: Backend) -> None:
    backend.upsert([], np.empty((0, DIM), dtype=np.float32))
    backend.delete([])
    assert len(backend) == 0


def test_recall_stays_high_through_churn(backend: Backend, rng: np.random.Generator) -> None:
    """Rounds of updates, deletes and inserts, which in all replace the items several times."""
    truth: dict[str, Float32Array] = {}
    for _ in range(8):
        ids = [str(number) for number in rng.integers(0, 1_500, size=600)]
        rows = unit_rows(rng, len(ids))
        backend.upsert(ids, rows)
        truth.update(zip(ids, rows, strict=True))
        gone = [str(number) for number in rng.integers(0, 1_500, size=150)]
        backend.delete(gone)
        for item_id in gone:
            truth.pop(item_id, None)
        assert len(backend) == len(truth)
        assert recall(backend, truth, unit_rows(rng, 25)) >= 0.98
    assert 0 <= backend.dead_share < 1


def test_hnsw_counts_its_dead(rng: np.random.Generator) -> None:
    backend = HnswBackend(DIM, IndexSettings())
    assert backend.dead_share == 0
    backend.upsert(["a", "b", "c"], unit_rows(rng, 3))
    backend.upsert(["a"], unit_rows(rng, 1))
    backend.delete(["b"])
    assert backend.dead_share == 2 / 4

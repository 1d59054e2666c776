"""A shard's snapshot: comes back as it was, or says why not."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from index_service.item_index import ItemIndex
from index_service.query import Query
from index_service.snapshot import Snapshot, read_snapshot, write_snapshot
from schemas.errors import SnapshotError
from schemas.events import FeatureValue
from schemas.recall import Condition, Range
from schemas.settings import Settings, TowerSettings
from schemas.vectors import ItemVector, pack_vector

DIM = 6
SETTINGS = Settings(towers=TowerSettings(dim=DIM))
SOURCE = "test.item-vectors-0"
VALUES = (
    st.text(max_size=5) | st.integers(-9, 9) | st.floats(allow_nan=False) | st.booleans()
) | st.lists(st.text(max_size=3), max_size=3)


def shard() -> ItemIndex:
    return ItemIndex(SETTINGS, Executor())  # too small for a graph: nothing is submitted


def item(number: int, item_id: str, attributes: dict[str, FeatureValue]) -> ItemVector:
    rng = np.random.default_rng(number)
    return ItemVector(
        item_id=item_id,
        epoch=1,
        step=number,
        vector=pack_vector(rng.normal(size=DIM).astype(np.float32)),
        trend_clock=float(number),
        counts={f"positives@{half_life}": rng.random() for half_life in rng.integers(1, 9, 3)},
        attributes=attributes,
        available=number % 4 != 0,
    )


def filled() -> ItemIndex:
    made = shard()
    for number in range(40):
        made.upsert(item(number, f"item-{number}", {"n": number, "tags": ["a", f"t{number % 3}"]}))
    for number in range(0, 40, 3):
        made.delete(f"item-{number}")
    return made


def saved(path: Path, source: ItemIndex, offset: int = 17) -> Path:
    write_snapshot(path, Snapshot(SOURCE, offset, 1, source.copied()))
    return path


def read(path: Path) -> Snapshot:
    snapshot = read_snapshot(path, source=SOURCE, epoch=1, dim=DIM)
    assert snapshot is not None
    return snapshot


def queries() -> list[Query]:
    vectors = np.random.default_rng(3).normal(size=(4, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = {f"positives@{half_life}": 0.5 for half_life in range(1, 9)}
    filters: list[dict[str, Condition]] = [
        {},
        {"tags": "t1"},
        {"n": Range(gte=20)},
        {"n": [4, 10, 25]},
    ]
    return [
        Query(
            vector=vector, k=9, scale=2.0, weights=weights, trend_clock=44.0, conditions=conditions
        )
        for vector in vectors
        for conditions in filters
    ]


def test_a_restored_shard_answers_as_the_one_that_was_saved(tmp_path: Path) -> None:
    first, second = filled(), shard()
    snapshot = read(saved(tmp_path / "0.shard", first, offset=123))
    second.restore(snapshot.state)
    assert (snapshot.offset, len(second), second.fields) == (123, len(first), first.fields)
    assert (second.trend_clock, second.step) == (first.trend_clock, first.step) == (39.0, 39)
    for query in queries():
        assert second.search(query) == first.search(query) != []


def test_both_go_on_alike_and_apart(tmp_path: Path) -> None:
    """What changes after the copy is in neither the file nor the other shard."""
    first, second = filled(), shard()
    second.restore(read(saved(tmp_path / "0.shard", first)).state)
    for number in range(30, 60):
        for each in (first, second):
            each.upsert(item(number + 100, f"item-{number}", {"n": number, "new": True}))
    for query in queries():
        assert second.search(query) == first.search(query)
    second.delete("item-59")
    assert first.vector_of("item-59") is not None


def test_the_state_is_that_of_the_moment_of_the_copy() -> None:
    source = filled()
    state = source.copied()
    before = {item_id: source.vector_of(item_id) for item_id in state.ids}
    kept = {item_id: vector.copy() for item_id, vector in before.items() if vector is not None}
    for item_id in kept:
        source.upsert(item(999, item_id, {}))
    source.delete("item-1")
    assert set(state.ids) == set(kept)
    for item_id, vector in zip(state.ids, state.vectors, strict=True):
        np.testing.assert_array_equal(vector, kept[item_id])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(min_size=1, max_size=9), st.dictionaries(st.text(), VALUES)))
def test_any_ids_and_attributes_come_back(items: dict[str, dict[str, FeatureValue]]) -> None:
    first, second = shard(), shard()
    for number, (item_id, attributes) in enumerate(items.items()):
        first.upsert(item(number, item_id, attributes))
    state = first.copied()
    second.restore(state)
    again = second.copied()
    assert dict(zip(again.ids, map(repr, again.attributes), strict=True)) == {
        item_id: repr(attributes) for item_id, attributes in items.items()
    }
    np.testing.assert_array_equal(again.vectors, state.vectors)


def test_an_empty_shard_comes_back_and_takes_items(tmp_path: Path) -> None:
    second = shard()
    second.restore(read(saved(tmp_path / "0.shard", shard(), offset=0)).state)
    assert len(second) == 0
    second.upsert(item(1, "a", {}))
    assert [found.item_id for found in second.search(queries()[0])] == ["a"]


def test_no_file_is_no_error(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "0.shard", source=SOURCE, epoch=1, dim=DIM) is None


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ({"epoch": 2}, r"must be of towers.epoch = 2; it is of 1"),
        ({"dim": 64}, r"must be of towers.dim = 64; it is of 6"),
        ({"source": "x"}, r"must be of source = x; it is of test.item-vectors-0"),
    ],
)
def test_another_model_or_log_is_refused(
    tmp_path: Path, wanted: dict[str, object], rule: str
) -> None:
    path = saved(tmp_path / "0.shard", filled())
    asked: dict[str, object] = {"source": SOURCE, "epoch": 1, "dim": DIM} | wanted
    with pytest.raises(SnapshotError, match=rule):
        read_snapshot(path, **asked)  # type: ignore[arg-type]


def test_any_damage_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.shard", filled())
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SnapshotError, match=r"must (match its checksum|begin with)"):
            read(path)
        path.write_bytes(whole[:place])
        with pytest.raises(SnapshotError, match=r"must (match its checksum|begin with)"):
            read(path)


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.shard", filled())
    body = path.read_bytes()[:-16].replace(b"penstock-shard-1", b"penstock-shard-9", 1)
    path.write_bytes(body + xxhash.xxh3_128_digest(body))
    with pytest.raises(SnapshotError, match=r"begin with .*shard-1.*begins with .*shard-9"):
        read(path)


def test_a_write_that_fails_leaves_the_file_before(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.shard", filled(), offset=1)
    (tmp_path / "0.shard.tmp").mkdir()  # in the way
    with pytest.raises(SnapshotError, match="must be written"):
        saved(path, filled(), offset=2)
    assert read(path).offset == 1


def test_a_large_shard_comes_and_goes_in_parts_beside_another() -> None:
    source, other = shard(), shard()
    for number in range(1_200):
        source.upsert(item(number, f"a{number}", {"n": number}), shard=1)
    for number in range(700):
        other.upsert(item(number, f"b{number}", {}), shard=0)
        other.upsert(item(number, f"old{number}", {}), shard=1)
    beside = other.copied(0)
    other.restore(source.copied(1), shard=1)
    assert (other.count_in(0), other.count_in(1), len(other)) == (700, 1_200, 1_900)
    for query in queries():
        alone = source.search(query)
        assert other.search(dataclasses.replace(query, shards=frozenset([1]))) == alone
    parts = 1
    while not other.drop_some(1):
        parts += 1
        assert other.count_in(0) == 700
    assert (parts, other.count_in(1)) == (3, 0)
    left = other.copied(0)
    assert left.ids == beside.ids
    np.testing.assert_array_equal(left.vectors, beside.vectors)

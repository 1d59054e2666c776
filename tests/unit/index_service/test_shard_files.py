"""A node's shards on its disk: written when due, and used only where they fit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from operator import eq
from pathlib import Path

import numpy as np
import pytest

from index_service.figures import NodeFigures
from index_service.item_changes import ItemChange
from index_service.node_index import NodeIndex
from index_service.shard_files import ShardFiles
from schemas.settings import IndexSettings, Settings, TowerSettings
from schemas.vectors import ItemVector, pack_vector
from tests.support.polling import eventually
from tests.support.step_executor import StepExecutor

DIM = 4
VECTORS = np.eye(DIM, dtype=np.float32)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def settings(folder: Path, epoch: int) -> Settings:
    return Settings(
        towers=TowerSettings(dim=DIM, epoch=epoch),
        index=IndexSettings(snapshot_dir=folder, snapshot_every_s=1e-6),
    )


class Node:
    """Shards 0 and 1 with their files, and nothing else of a node."""

    def __init__(
        self,
        folder: Path,
        executor: Executor,
        source: str = "topic/1",
        epoch: int = 1,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        chosen = settings(folder, epoch)
        self.index = NodeIndex(chosen, (), executor)
        self.figures = NodeFigures()
        self.files = ShardFiles(chosen, source, self.index, executor, self.figures, monotonic_s)

    def restore(self, partition: int, end: int) -> int:
        self.index.hold(partition)
        return asyncio.run(self.files.restore(partition, end))

    def fill(self) -> None:
        for number, vector in enumerate(VECTORS):
            item = ItemVector(f"i{number}", 1, 5, pack_vector(vector), 9.0, {}, {"n": number})
            self.index.apply(number % 2, ItemChange(item.item_id, item))

    def save(self, offsets: dict[int, int], count: int) -> None:
        def saved() -> int:
            self.files.save_some(offsets)
            return self.figures.counts["snapshots"]

        eventually(saved, lambda files: files == count, f"{count} files are written")


def test_shards_come_back_with_the_offset_to_read_on_from(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    node = Node(tmp_path, executor)
    assert [node.restore(partition, end=100) for partition in (0, 1)] == [0, 0]
    node.fill()
    node.index.open(0)
    node.save({0: 7, 1: 8}, count=1)  # only what is loaded is worth a file
    node.index.open(1)
    node.save({0: 7, 1: 8}, count=2)  # and what has changed

    other = Node(tmp_path, executor)
    assert [other.restore(partition, end=100) for partition in (0, 1)] == [7, 8]
    assert other.figures.counts["shards_restored"] == 2
    assert len(other.index) == DIM
    ids = [f"i{number}" for number in range(DIM)]
    known = other.index.vectors_of(ids, {0, 1})
    for number, item_id in enumerate(ids):
        np.testing.assert_array_equal(known[item_id], VECTORS[number])
    assert (other.index.items.step, other.index.items.trend_clock) == (5, 9.0)


def test_shards_that_change_all_the_time_are_each_written_once_a_round(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    clock = [0.0]
    node = Node(tmp_path, executor, monotonic_s=lambda: clock[0])
    for partition in (0, 1):
        node.restore(partition, end=0)
        node.index.open(partition)
    node.fill()
    offset = 0

    def written() -> int:
        nonlocal offset
        offset += 1
        node.files.save_some({0: offset, 1: offset})
        return node.figures.counts["snapshots"]

    for round_, files in ((1.0, 2), (2.0, 4)):
        clock[0] = round_
        eventually(written, partial(eq, files), f"{files} files are written")
        executor.submit(int).result()
        assert [written() for _ in range(5)] == [files] * 5
    assert sorted(path.name for path in tmp_path.rglob("*.shard")) == ["0.shard", "1.shard"]


def test_files_that_do_not_fit_are_passed_over(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    node = Node(tmp_path, executor)
    node.restore(0, end=0)
    item = ItemVector("i0", 1, 5, pack_vector(VECTORS[0]), 9.0)
    node.index.apply(0, ItemChange("i0", item))
    node.index.open(0)
    node.save({0: 7}, count=1)
    assert Node(tmp_path, executor).restore(0, end=7) == 7
    for other, end in (
        (Node(tmp_path, executor), 6),  # the log ends before: it is not the one that was read
        (Node(tmp_path, executor, source="topic/2"), 100),
        (Node(tmp_path, executor, epoch=2), 100),
    ):
        assert other.restore(0, end) == 0
        assert len(other.index) == 0
    (path,) = tmp_path.rglob("*.shard")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    damaged = Node(tmp_path, executor)
    assert (damaged.restore(0, end=100), len(damaged.index)) == (0, 0)


def test_a_shard_given_up_before_its_turn_is_not_written(tmp_path: Path) -> None:
    """What would be written is what is left of it: nothing, as of an offset far ahead."""
    steps = StepExecutor()
    node = Node(tmp_path, steps)
    for partition in (0, 1):
        node.index.hold(partition)
        node.index.open(partition)
    node.fill()
    node.files.save_some({0: 7, 1: 8})
    node.index.shut(0)
    assert node.index.drop_some(0)
    steps.step()
    assert [*tmp_path.rglob("*.shard")] == []
    node.files.save_some({1: 8})
    steps.step()
    assert [path.name for path in tmp_path.rglob("*.shard")] == ["1.shard"]

"""What a failing backend does to its shard: nothing is lost, and it is told."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from index_service.exact import ExactBackend
from index_service.live_index import LiveIndex, Source
from index_service.slots import IntArray
from schemas.vectors import Float32Array
from tests.support.step_executor import StepExecutor


class FailingBackend(ExactBackend):
    """Fails to write while it is told to."""

    def __init__(self) -> None:
        super().__init__(2)
        self.failing = False
        self.closed = False

    def upsert(self, keys: IntArray, vectors: Float32Array) -> None:
        if self.failing:
            msg = "the server is away"
            raise ConnectionError(msg)
        super().upsert(keys, vectors)

    def close(self) -> None:
        self.closed = True


class Shards:
    """As much of a shard as a live index sees."""

    def __init__(self) -> None:
        self.executor = StepExecutor()
        self.made: list[FailingBackend] = []
        self.lock = threading.Lock()
        self.live = LiveIndex(self.make, self.executor, self.lock, 4, lambda: 0.0)
        self.fail_next = False
        self.made_by: type[FailingBackend] = FailingBackend

    def make(self) -> FailingBackend:
        backend = self.made_by()
        backend.failing = self.fail_next
        self.made.append(backend)
        return backend

    def build(self) -> None:
        rows = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
        with self.lock:
            self.live.build(Source(np.array([0, 1]), rows))
        self.live.wake()
        self.executor.step()

    def note(self, slot: int, x: float, y: float) -> None:
        with self.lock:
            self.live.note(slot, np.array([x, y], dtype=np.float32))
        self.live.wake()


def test_what_could_not_be_written_is_written_later() -> None:
    world = Shards()
    world.build()
    [backend] = world.made
    backend.failing = True
    world.note(2, 0.6, 0.8)
    world.executor.step()
    world.note(2, 0.8, 0.6)  # newer than what failed
    assert world.live.unwritten() == [2]
    with pytest.raises(ConnectionError, match="is away"):
        world.live.raise_failure()
    world.live.raise_failure()  # told once
    backend.failing = False
    world.live.wake()
    while world.executor.waiting:
        world.executor.step()
    assert world.live.unwritten() == []
    [found] = world.live.search_many(np.array([[0.8, 0.6]], dtype=np.float32), 1)
    assert found.keys.tolist() == [2]
    assert found.scores[0] == pytest.approx(1.0)


def test_a_build_that_fails_leaves_the_one_that_serves() -> None:
    world = Shards()
    world.build()
    world.fail_next = True
    world.build()
    first, second = world.made
    assert (first.closed, second.closed, world.live.building) == (False, True, False)
    assert world.live.backend is first
    with pytest.raises(ConnectionError):
        world.live.raise_failure()
    world.fail_next = False
    world.build()
    assert world.live.backend is world.made[2]
    assert first.closed


def test_a_build_ends_beside_one_who_writes_whenever_he_may() -> None:
    world = Shards()
    written = 0

    class Besieged(FailingBackend):
        def upsert(self, keys: IntArray, vectors: Float32Array) -> None:
            nonlocal written
            super().upsert(keys, vectors)
            assert written < 100, "the build never ends"
            for _ in range(3):
                if world.live.behind or not world.live.building:
                    return
                written += 1
                world.live.note(1 + written, np.array([1.0, 0.0], dtype=np.float32))

    world.made_by = Besieged
    world.build()
    assert (world.live.building, world.live.builds) == (False, 1)
    while world.executor.waiting:
        world.executor.step()
    world.live.wake()
    while world.executor.waiting:
        world.executor.step()
    assert world.live.unwritten() == []
    assert len(world.made[0]) == 2 + written


def test_a_build_that_can_not_catch_up_holds_changes_back() -> None:
    world = Shards()
    for number in range(9):
        world.note(number, 1.0, 0.0)
    assert not world.live.behind  # nobody proposes anything yet
    with world.lock:
        world.live.build(Source(np.array([0]), np.ones((1, 2), dtype=np.float32)))
        world.live._catching_up = True
    for number in range(3):
        world.note(number, 1.0, 0.0)
    assert world.live.behind  # 3 of 2
    world.live.wake()
    world.executor.step()
    assert not world.live.behind

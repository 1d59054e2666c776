from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.settings import Settings, TowerSettings, TrainerSettings
from towers.arrays import Ints
from towers.publisher import OTHERWISE, Current, Publisher
from towers.trend import TrendCounts

_ITEMS = 6
_SETTINGS = TrainerSettings(scan_every_steps=3)
_HALF_LIVES = {"positives@50": 50.0, "positives@8": 8.0, "exposures@50": 50.0, "exposures@8": 8.0}
_WEIGHTS = np.array([0.5, 0.2, -0.4, 0.0])
_ALL = np.arange(_ITEMS)


@dataclass
class Published:
    """The oracle's copy of one item on the index."""

    vector: list[float]
    counts: list[float]
    clock: float
    version: int


def state(seed: int, clock: float, spread: float, alive_share: float) -> Current:
    """All items around one direction, so that drifts lie about the bounds."""
    random = np.random.default_rng(seed)
    vectors = np.array([1.0, 0, 0]) + spread * random.standard_normal((_ITEMS, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    counts = TrendCounts(random.random((_ITEMS, 4)) * 2, np.ones(4), clock)
    versions = random.integers(1, 3, _ITEMS)
    alive = random.random(_ITEMS) < alive_share
    return Current(vectors.astype(np.float32), counts, _WEIGHTS, versions, alive)


def is_due(item: int, now: Current, published: dict[int, Published], eps: float) -> bool:
    if item not in published:
        return bool(now.alive[item])
    if not now.alive[item]:
        return True
    there = published[item]
    if there.version != now.versions[item]:
        return True
    if 1 - float(np.dot(there.vector, now.vectors[item])) > eps:
        return True
    moved = 0.0
    for column, half_life in enumerate(_HALF_LIVES.values()):
        faded = there.counts[column] * 2 ** ((there.clock - now.counts.clock) / half_life)
        count = float(now.counts.grown[item, column])
        moved += float(_WEIGHTS[column]) * math.log((count + 0.1) / (faded + 0.1))
    return abs(moved) > _SETTINGS.bias_step


def publisher_of(dim: int) -> Publisher:
    towers = TowerSettings(dim=dim, trend_half_lives=(50.0, 8.0))
    made = Publisher(Settings(towers=towers, trainer=_SETTINGS))
    assert made.names == list(_HALF_LIVES)
    return made


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1_000), st.sampled_from([0.02, 0.1, 0.3])), max_size=12))
def test_due_is_what_differs_from_what_was_published(steps: list[tuple[int, float]]) -> None:
    publisher = publisher_of(3)
    published: dict[int, Published] = {}
    for number, (seed, spread) in enumerate(steps):
        now = state(seed, clock=number * 10.0, spread=spread, alive_share=0.8)
        for eps, find in (
            (_SETTINGS.publish_eps, publisher.due),
            (_SETTINGS.scan_eps, publisher.due_in_scan),
        ):
            expected = {item for item in range(_ITEMS) if is_due(item, now, published, eps)}
            assert set(find(_ALL, now).tolist()) == expected
        sent: Ints = publisher.due(_ALL, now)[:3]  # the rest stays due
        publisher.mark(sent, now)
        for item in sent.tolist():
            if not now.alive[item]:
                del published[item]
                continue
            published[item] = Published(
                now.vectors[item].tolist(),
                now.counts.grown[item].tolist(),
                now.counts.clock,
                int(now.versions[item]),
            )
        assert publisher.published == len(published)
        again = publisher_of(3)
        again.load(publisher.state())
        publisher = again


def test_new_items_come_first_then_the_largest_drift() -> None:
    publisher = publisher_of(2)
    angles = np.zeros(4)
    now = current(angles)
    publisher.mark(np.array([0, 1, 2]), now)
    moved = current(np.array([0.3, 0.01, 0.5, 0.0]))
    assert publisher.due(np.arange(4), moved).tolist() == [3, 2, 0]


def test_a_scan_looks_at_each_item_once_and_says_the_largest_drift() -> None:
    publisher = publisher_of(2)
    publisher.mark(np.arange(3), current(np.zeros(3)))
    now = current(np.array([0.0, 0.4, 0.1]))
    looked: list[int] = []
    for _ in range(_SETTINGS.scan_every_steps):
        rows = publisher.next_scan(3)
        looked += rows.tolist()
        publisher.due_in_scan(rows, now)
        assert publisher.drift_max == 0.0  # of the last whole scan
    assert sorted(looked) == [0, 1, 2]
    publisher.next_scan(3)
    np.testing.assert_allclose(publisher.drift_max, 1 - math.cos(0.4), rtol=1e-5)


def test_what_is_forgotten_or_found_otherwise_is_due() -> None:
    publisher = publisher_of(2)
    now = current(np.zeros(5))
    publisher.mark(np.arange(5), now)
    assert publisher.due(np.arange(5), now).tolist() == []
    publisher.forget(np.array([1]))
    publisher.found(2, now.vectors[2], {}, 0.0, version=OTHERWISE)
    publisher.found_deleted(3)
    publisher.found(4, now.vectors[4], {}, 0.0, version=1)
    assert publisher.due(np.arange(5), now).tolist() == [1, 2, 3]
    publisher.forget_all()
    assert publisher.due(np.arange(5), now).tolist() == [0, 1, 2, 3, 4]


def current(angles: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Current:
    size = len(angles)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    counts = TrendCounts(np.zeros((size, 4)), np.ones(4), 0.0)
    return Current(vectors, counts, _WEIGHTS, np.ones(size, np.int64), np.ones(size, np.bool_))


def test_published_counts_are_found_by_their_names() -> None:
    publisher = publisher_of(2)
    now = current(np.zeros(2))
    counts = TrendCounts(np.array([[3.0, 2.0, 1.0, 0.5], [0.0] * 4]), np.ones(4), 7.0)
    now = now._replace(counts=counts)
    [told] = counts.named(np.array([0]), publisher.names)
    publisher.found(0, now.vectors[0], told | {"positives@9": 4.0}, 7.0, version=1)
    publisher.found(1, now.vectors[1], {"positives@50": 9.0}, 7.0, version=1)
    assert publisher.due(np.arange(2), now).tolist() == [1]

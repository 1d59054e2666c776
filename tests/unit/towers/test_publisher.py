from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.settings import TrainerSettings
from towers.arrays import Ints
from towers.publisher import OTHERWISE, Current, Publisher
from towers.trend import TrendCounts

_ITEMS, _HALF_LIFE = 6, 50.0
_SETTINGS = TrainerSettings(scan_every_steps=3)
_ALL = np.arange(_ITEMS)


@dataclass
class Published:
    """The oracle's copy of one item on the index."""

    vector: list[float]
    positives: float
    exposures: float
    clock: float
    version: int


def state(seed: int, clock: float, spread: float, alive_share: float) -> Current:
    """All items around one direction, so that drifts lie about the bounds."""
    random = np.random.default_rng(seed)
    vectors = np.array([1.0, 0, 0]) + spread * random.standard_normal((_ITEMS, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    counts = TrendCounts(random.random(_ITEMS) * 2, random.random(_ITEMS) * 2, clock)
    versions = random.integers(1, 3, _ITEMS)
    return Current(
        vectors.astype(np.float32), counts, versions, random.random(_ITEMS) < alive_share
    )


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
    fade = 2 ** ((there.clock - now.counts.clock) / _HALF_LIFE)
    return any(
        abs(math.log1p(count) - math.log1p(old * fade)) > _SETTINGS.bias_step
        for count, old in (
            (now.counts.positives[item], there.positives),
            (now.counts.exposures[item], there.exposures),
        )
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1_000), st.sampled_from([0.02, 0.1, 0.3])), max_size=12))
def test_due_is_what_differs_from_what_was_published(steps: list[tuple[int, float]]) -> None:
    publisher = Publisher(3, _SETTINGS, _HALF_LIFE)
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
                float(now.counts.positives[item]),
                float(now.counts.exposures[item]),
                now.counts.clock,
                int(now.versions[item]),
            )
        assert publisher.published == len(published)
        again = Publisher(3, _SETTINGS, _HALF_LIFE)
        again.load(publisher.state())
        publisher = again


def test_new_items_come_first_then_the_largest_drift() -> None:
    publisher = Publisher(2, _SETTINGS, _HALF_LIFE)
    angles = np.zeros(4)
    now = current(angles)
    publisher.mark(np.array([0, 1, 2]), now)
    moved = current(np.array([0.3, 0.01, 0.5, 0.0]))
    assert publisher.due(np.arange(4), moved).tolist() == [3, 2, 0]


def test_a_scan_looks_at_each_item_once_and_says_the_largest_drift() -> None:
    publisher = Publisher(2, _SETTINGS, _HALF_LIFE)
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
    publisher = Publisher(2, _SETTINGS, _HALF_LIFE)
    now = current(np.zeros(5))
    publisher.mark(np.arange(5), now)
    assert publisher.due(np.arange(5), now).tolist() == []
    publisher.forget(np.array([1]))
    publisher.found(2, now.vectors[2], (0.0, 0.0), 0.0, version=OTHERWISE)
    publisher.found_deleted(3)
    publisher.found(4, now.vectors[4], (0.0, 0.0), 0.0, version=1)
    assert publisher.due(np.arange(5), now).tolist() == [1, 2, 3]
    publisher.forget_all()
    assert publisher.due(np.arange(5), now).tolist() == [0, 1, 2, 3, 4]


def current(angles: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Current:
    size = len(angles)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    counts = TrendCounts(np.zeros(size), np.zeros(size), 0.0)
    return Current(vectors, counts, np.ones(size, np.int64), np.ones(size, np.bool_))

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towers.similar import ALIKE, NEXT, CoOccurrence, Manner

_ITEMS, _HALF_LIFE = 8, 30.0

Event = tuple[list[int], int]


class Oracle:
    """The definition, pair by pair."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.events: list[tuple[float, Event]] = []

    def similarity(self, trail: list[int], actions: list[float], clock: float) -> dict[int, float]:
        decay, back, scale = self.manner
        pairs: dict[tuple[int, int], float] = defaultdict(float)
        totals: dict[int, float] = defaultdict(float)
        for at, (before, item) in self.events:
            faded = 2 ** ((at - clock) / _HALF_LIFE)
            totals[item] += faded
            for age, other in enumerate(before):
                if other != item:
                    pairs[other, item] += faded * decay**age
                    pairs[item, other] += faded * decay**age * back
        found: dict[int, float] = defaultdict(float)
        for age, source in enumerate(trail):
            for item in range(_ITEMS):
                norm = math.sqrt((1 + totals[source]) * (1 + totals[item]))
                found[item] += scale * actions[age] * decay**age * pairs[source, item] / norm
        return {item: value for item, value in found.items() if value}


event = st.tuples(
    st.lists(st.integers(0, _ITEMS - 1), max_size=5, unique=True), st.integers(0, _ITEMS - 1)
)


@settings(deadline=None)
@given(
    st.lists(st.lists(event, max_size=6), max_size=12),
    st.sampled_from([NEXT, ALIKE]),
    st.integers(0, 2**32),
)
def test_with_room_for_all_it_counts_every_pair(
    flushes: list[list[Event]], manner: Manner, seed: int
) -> None:
    similar, oracle = CoOccurrence(_ITEMS, manner, _HALF_LIFE), Oracle(manner)
    clock = 0.0
    for number, events in enumerate(flushes):
        clock = number * 7.0
        for trail, item in events:
            similar.add(trail, item)
            oracle.events.append((clock, (trail, item)))
        similar.flush(clock, _ITEMS)
        again = CoOccurrence(_ITEMS, manner, _HALF_LIFE)
        again.load(similar.state())
        similar = again
    if not any(flushes):
        return
    clock = max(at for at, _ in oracle.events)
    trail = np.random.default_rng(seed).permutation(_ITEMS)[:4].tolist()
    for actions in (None, [0.5, 1.0, 2.0, 0.25]):
        items, values = similar.beside(trail, actions)
        found = dict(zip(items.tolist(), values.tolist(), strict=True))
        assert {item: value for item, value in found.items() if value} == pytest.approx(
            oracle.similarity(trail, actions or [1.0] * len(trail), clock)
        )


def test_counts_stay_finite_for_ever() -> None:
    similar = CoOccurrence(2, NEXT, half_life=1.0)
    for clock in range(3_000):
        similar.add([0], 1)
        similar.flush(float(clock), 2)
    items, values = similar.beside([0])
    # Item 0 never came after anything, item 1 twice in all by now, with decay.
    assert items.tolist() == [1]
    assert values[0] == pytest.approx(5 * 2 / math.sqrt(3))


def test_partners_are_bounded_and_frequent_ones_stay_among_many_rare_ones() -> None:
    random = np.random.default_rng(0)
    similar = CoOccurrence(8, NEXT, half_life=1e9)
    items = 2_000
    for clock in range(4_000):
        partner = clock % 4 if clock % 2 else int(random.integers(4, items))  # 1, 3, or any
        similar.add([0], partner)
        similar.flush(float(clock), items)
    partners, counts = similar.state()["partners"], similar.state()["counts"]
    assert partners.shape == counts.shape == (partners.shape[0], 8)
    found, _ = similar.beside([0])
    assert len(found) <= 8
    best = partners[0][counts[0].argsort(descending=True)][:2]
    assert sorted(best.tolist()) == [1, 3]
    assert counts[0].sort(descending=True).values[1].item() >= 990  # of 1,000

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towers.similar import ALIKE, NEXT, CoOccurrence, Manner

_ITEMS, _HALF_LIFE = 8, 30.0
_NOTHING = np.zeros(0, np.int64)

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
        [(items, values)] = similar.beside([trail], [_NOTHING], [actions] if actions else None)
        found = dict(zip(items.tolist(), values.tolist(), strict=True))
        assert {item: value for item, value in found.items() if value} == pytest.approx(
            oracle.similarity(trail, actions or [1.0] * len(trail), clock)
        )


def test_counts_stay_finite_for_ever() -> None:
    similar = CoOccurrence(2, NEXT, half_life=1.0)
    for clock in range(3_000):
        similar.add([0], 1)
        similar.flush(float(clock), 2)
    [(items, values)] = similar.beside([[0]], [_NOTHING])
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
    [(found, _)] = similar.beside([[0]], [_NOTHING])
    assert len(found) <= 8
    best = partners[0][counts[0].argsort(descending=True)][:2]
    assert sorted(best.tolist()) == [1, 3]
    assert counts[0].sort(descending=True).values[1].item() >= 990  # of 1,000


def test_many_trails_at_once_are_as_each_alone_and_without_what_is_hidden() -> None:
    random = np.random.default_rng(1)
    similar = CoOccurrence(16, NEXT, half_life=500.0)
    for clock in range(300):
        similar.add(random.permutation(60)[:5].tolist(), int(random.integers(60)))
        similar.flush(float(clock), 60)
    trails = [random.permutation(70)[: number % 6].tolist() for number in range(21)]
    hidden = [random.permutation(5_000)[:900] for _ in trails]
    for trail, unwanted, (items, values) in zip(
        trails, hidden, similar.beside(trails, hidden), strict=True
    ):
        [(every, each)] = similar.beside([trail], [_NOTHING])
        wanted = ~np.isin(every, unwanted)
        assert dict(zip(items.tolist(), values.tolist(), strict=True)) == pytest.approx(
            dict(zip(every[wanted].tolist(), each[wanted].tolist(), strict=True))
        )


def test_of_very_many_at_once_a_sample_stands_for_all() -> None:
    similar = CoOccurrence(4, NEXT, half_life=1e9, at_once=16)
    for _ in range(3_200):
        similar.add([0], 1)
    similar.flush(1.0, 2)
    assert similar.state()["totals"][1].item() == pytest.approx(3_200)
    assert similar.state()["counts"][0].max().item() == pytest.approx(3_200)

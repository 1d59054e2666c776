from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from towers.arrays import Doubles, Ints
from towers.listing import strongest
from towers.pairs import FEWEST_PARTNERS, MOST_PARTNERS, Pairs, Past

_NOTHING = np.zeros(0, np.int64)
_ITEMS, _HISTORY = 9, 4


def past(*items: int, actions: list[float] | None = None) -> Past:
    return Past(np.array(items, np.int64), np.array(actions or [1.0] * len(items)))


def shares(before: Past) -> dict[int, float]:
    """What each of the past counts, by the definition."""
    rows, actions = before.rows[:_HISTORY].tolist(), before.actions[:_HISTORY].tolist()
    counts = [action * 0.98**age for age, action in enumerate(actions)]
    length = max(1.0, sum(count**2 for count in counts) ** 0.5)
    return {row: count / length for row, count in zip(rows, counts, strict=True)}


def signal(pairs: Pairs, before: Past, unwanted: Ints = _NOTHING) -> dict[int, float]:
    rows, values = pairs.of(before, unwanted)
    return dict(zip(rows.tolist(), values.tolist(), strict=True))


lessons = st.lists(
    st.tuples(
        st.lists(st.integers(0, _ITEMS - 1), max_size=6, unique=True),
        st.lists(
            st.tuples(st.integers(0, _ITEMS - 1), st.sampled_from([-0.9, 0.25, 0.5])), max_size=4
        ),
    ),
    max_size=12,
)


@given(lessons, st.integers(0, 9))
def test_with_room_for_all_pairs_it_is_the_gradient_step_of_each(
    given_lessons: list[tuple[list[int], list[tuple[int, float]]]], seed: int
) -> None:
    pairs = Pairs(4_000_000, _HISTORY)
    weights = np.zeros((_ITEMS, _ITEMS))
    for before, surprises in given_lessons:
        chosen = np.array([item for item, _ in surprises], np.int64)
        wrong = np.array([value for _, value in surprises])
        random = np.random.default_rng(seed)
        pairs.learn(past(*before), chosen, wrong, _ITEMS, random)
        for (row, share), (item, value) in itertools.product(
            shares(past(*before)).items(), surprises
        ):
            weights[row, item] -= 0.3 * share * value
    asked = past(3, 1, 4, 8, 5, actions=[1.0, 0.5, 2.0, 1.0, 1.0])
    expected = sum(share * weights[row] for row, share in shares(asked).items())
    found = np.zeros(_ITEMS)
    for row, value in signal(pairs, asked, np.array([2])).items():
        found[row] = value
    expected[2] = 0.0
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_is_taken_with_something_is_told_from_what_is_popular() -> None:
    """Planted: after an even item comes 8, after an odd one 9; 7 is offered always, in vain."""
    pairs, random = Pairs(1_000_000, 10), np.random.default_rng(0)
    for _ in range(2_000):
        before = past(int(random.integers(6)))
        target = 8 + int(before.rows[0]) % 2
        chosen = np.array([7, 8, 9])
        values = signal(pairs, before)
        likely = np.exp([values.get(item, 0.0) for item in chosen.tolist()])
        surprises: Doubles = likely / likely.sum() - (chosen == target)
        pairs.learn(before, chosen, surprises, 10, random)
    for item in range(6):
        values = signal(pairs, past(item))
        assert values[8 + item % 2] > 1 > 0 > values[9 - item % 2] + 1
        assert values[7] < -1
        assert [*strongest(pairs.of(past(item), _NOTHING), 1)[0]] == [
            max(values, key=lambda one: abs(values[one]))
        ]


def test_memory_is_bounded_and_the_strongest_pairs_outlive_the_weak() -> None:
    pairs, random = Pairs(1, 10), np.random.default_rng(0)
    for number in range(5_000):
        chosen = np.array([1, 2 + number % 900])
        pairs.learn(past(0), chosen, np.array([-0.9, 0.001]), 1_000, random)
    kept = pairs.state()
    assert kept["partners"].shape == (1_000, FEWEST_PARTNERS)
    assert signal(pairs, past(0))[1] > 100
    assert len(signal(pairs, past(0))) == FEWEST_PARTNERS


def test_as_items_come_each_has_fewer_partners_and_the_strongest_stay() -> None:
    pairs, random = Pairs(1_024 * 512, 10), np.random.default_rng(0)
    order = random.permutation(np.arange(1, 601))
    for item in order.tolist():
        pairs.learn(past(0), np.array([item]), np.array([-item / 600]), 700, random)
    assert pairs.state()["partners"].shape[1] <= MOST_PARTNERS
    before = signal(pairs, past(0))
    pairs.learn(past(1), np.array([2]), np.array([0.5]), 5_000, random)
    after = signal(pairs, past(0))
    assert len(after) == 1_024 * 512 // 8_192
    assert after == {item: before[item] for item in sorted(before, key=before.__getitem__)[-64:]}


def test_it_goes_on_from_its_state_as_it_would_have() -> None:
    one, other = Pairs(40_000, _HISTORY), Pairs(40_000, _HISTORY)
    for number in range(400):
        if number == 200:
            other.load(one.state())
        for pairs in (one, other) if number >= 200 else (one,):
            own = np.random.default_rng(number)
            before = past(*own.choice(1_500, 3, replace=False).tolist())
            pairs.learn(before, own.integers(50, size=6), own.normal(size=6), 1_500, own)
    asked = past(*range(4))
    assert signal(one, asked) == signal(other, asked)
    for name, tensor in one.state().items():
        np.testing.assert_array_equal(tensor, other.state()[name])
    fewer = Pairs(1, _HISTORY)
    fewer.load(one.state())
    assert fewer.state()["partners"].shape[1] <= FEWEST_PARTNERS

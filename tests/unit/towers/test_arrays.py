from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from towers.arrays import RaggedStore, grown, join_bags, packed, split_bags, unpacked

_puts = st.lists(
    st.tuples(st.integers(0, 8), st.lists(st.integers(0, 99), max_size=6)), max_size=80
)


@given(_puts, st.lists(st.integers(0, 8), max_size=12))
def test_a_ragged_store_is_a_dict_of_lists(
    puts: list[tuple[int, list[int]]], wanted: list[int]
) -> None:
    store, oracle = RaggedStore(), {index: [0] for index in range(9)}
    for index in range(9):
        store.put(index, np.array([0]), np.array([0.0]))
    for index, rows in puts:
        store.put(index, np.array(rows, np.int64), np.array(rows) / 2)
        oracle[index] = rows
    again = RaggedStore()
    again.load(store.state())
    for each in (store, again):
        bags = each.gather(np.array(wanted, np.int64))
        assert [rows.tolist() for rows, _ in split_bags(bags)] == [oracle[i] for i in wanted]
        np.testing.assert_array_equal(bags.weights, bags.keys / 2)


def test_a_ragged_store_rewritten_for_long_stays_small_and_right() -> None:
    store = RaggedStore()
    store.put(1, np.array([7]), np.array([1.0]))
    for length in range(2_000):
        store.put(0, np.arange(length % 50), np.ones(length % 50))
    assert store.gather(np.array([1, 0])).keys.tolist() == [7, *range(1_999 % 50)]
    assert len(store._keys) < 8_192


def test_growing_keeps_what_was_there_and_is_zero_beyond() -> None:
    array = np.arange(3.0)
    larger = grown(array, 4)
    assert larger[:4].tolist() == [0, 1, 2, 0]
    assert grown(larger, 100) is larger


def test_bags_and_packed_values_come_back() -> None:
    parts = [(np.array([1, 2]), np.array([0.5, 0.5])), (np.array([], np.int64), np.array([]))]
    assert [rows.tolist() for rows, _ in split_bags(join_bags(parts))] == [[1, 2], []]
    assert split_bags(join_bags([])) == []
    value = {"ids": ["a", "ü"], "n": 2**63}
    assert unpacked(packed(value)) == value

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from towers.arrays import Ints
from towers.bag_sums import _sorting, bag_sums

_bags = st.lists(st.lists(st.tuples(st.integers(0, 4), st.floats(-2, 2))), min_size=1, max_size=5)


def flat(bags: list[list[tuple[int, float]]]) -> tuple[Ints, np.ndarray, Ints]:
    rows = np.array([row for bag in bags for row, _ in bag], np.int64)
    weights = np.array([weight for bag in bags for _, weight in bag])
    return rows, weights, np.array([len(bag) for bag in bags])


@settings(deadline=None)
@given(_bags)
def test_sums_as_a_loop_and_gradients_as_autograds_own_check(
    bags: list[list[tuple[int, float]]],
) -> None:
    table = torch.randn(5, 3, generator=torch.manual_seed(0), dtype=torch.float64)
    rows, weights, lengths = flat(bags)
    expected = torch.stack(
        [sum((weight * table[row] for row, weight in bag), torch.zeros(3)) for bag in bags]
    )
    torch.testing.assert_close(bag_sums(table, rows, weights, lengths), expected.double())
    table.requires_grad_()
    assert torch.autograd.gradcheck(lambda leaf: bag_sums(leaf, rows, weights, lengths), (table,))


@pytest.mark.parametrize("end", [10, 65_536, 65_537, 2**33])
def test_gradients_of_tables_with_rows_of_many_digits(end: int) -> None:
    """Sorting goes by halves of a row's number."""
    rows = np.random.default_rng(0).integers(0, end, 5_000)
    order = _sorting(rows, end)
    np.testing.assert_array_equal(order, np.argsort(rows, kind="stable"))

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from schemas.settings import TowerSettings
from towers.arrays import Ints
from towers.table import COLD_ROWS, NEW_NORM, EmbeddingTable


def table(dim: int = 8, **towers: float) -> EmbeddingTable:
    return EmbeddingTable(TowerSettings.model_validate({"dim": dim} | towers), seed=1)


def row(of: EmbeddingTable, key: int) -> int:
    return int(of.rows(np.array([key]))[0])


def weight(of: EmbeddingTable, key: int) -> torch.Tensor:
    return of.weight[row(of, key)].clone()


def hit(of: EmbeddingTable, *keys: int, clock: int = 0) -> None:
    of.hit(np.array(keys), clock)


def learn(of: EmbeddingTable, keys: Ints) -> None:
    """A step along a gradient that the keys' order gives."""
    rows, places = of.distinct(of.rows(keys))
    leaf = of.leaf(rows)
    pulls = torch.arange(1.0, 1 + len(keys)).unsqueeze(1)  # (keys, 1)
    (leaf[torch.from_numpy(places)] * pulls).sum().backward()  # type: ignore[no-untyped-call]  # torch
    of.learn(rows, leaf)


def test_row_wise_adagrad_as_a_loop_over_rows() -> None:
    learned = table(dim=3, embedding_lr=0.5)
    keys = np.array([learned.add(name) for name in "abcd"])
    rows_of = learned.rows(keys)
    weights = learned.weight[rows_of].double().numpy().copy()
    squares = np.zeros(4)
    random = np.random.default_rng(0)
    for _ in range(5):
        chosen = np.flatnonzero(random.random(4) < 0.6)
        gradients = random.standard_normal((len(chosen), 3))
        leaf = learned.leaf(rows_of[chosen])
        # Reading each row twice gives its gradient twice: duplicates are summed by autograd.
        (torch.cat([leaf, leaf]) * torch.tensor(np.tile(gradients, (2, 1)))).sum().backward()  # type: ignore[no-untyped-call]  # torch
        learned.learn(rows_of[chosen], leaf)
        for index, gradient in zip(chosen, 2 * gradients, strict=True):
            squares[index] += np.mean(gradient**2)
            weights[index] -= 0.5 * gradient / np.sqrt(squares[index])
    np.testing.assert_allclose(learned.weight[rows_of].numpy(), weights, rtol=1e-4, atol=1e-5)


def test_rows_survive_growth_and_begin_by_their_name_alone() -> None:
    one, other = table(), table()
    names = [f"k{i}" for i in range(3_000)]
    for name in names:
        one.add(name)
    for name in reversed(names):
        other.add(name)
    for name in ("k0", "k1500", "k2999"):
        mine, theirs = one.find(name), other.find(name)
        assert mine is not None and theirs is not None
        assert torch.equal(weight(one, mine), weight(other, theirs))
    norms = one.weight[one.rows(np.arange(3_000))].norm(dim=1)
    assert norms.mean().item() == pytest.approx(NEW_NORM, rel=0.05)


def test_distinct_rows_and_their_places() -> None:
    some = table()
    for number in range(20):
        some.add(str(number))
    rows = some.rows(np.array([5, 3, 5, 9]))
    distinct, places = some.distinct(rows)
    assert distinct.tolist() == sorted(set(rows.tolist()))
    np.testing.assert_array_equal(distinct[places], rows)


def test_a_row_that_may_begin_at_zero_gets_a_direction_once_it_needs_one() -> None:
    for admit_after in (0, 1):
        some = table(admit_after=admit_after)
        key = some.add("a", from_zero=True)
        assert not weight(some, key).any()
        assert some.add("a") == key
        begun = weight(some, key)
        assert begun.norm() > 0.1
        some.add("a", from_zero=True)
        assert torch.equal(weight(some, key), begun)


def test_keys_share_cold_rows_until_their_hits_admit_them() -> None:
    some = table(admit_after=3)
    keys = [some.add(f"k{number}") for number in range(200)]
    assert 1 < len({row(some, key) for key in keys}) <= COLD_ROWS
    assert some.own_rows == 0
    learn(some, np.array(keys))  # the cold rows learn for all
    hit(some, keys[0], keys[0])
    hit(some, keys[1])
    assert some.own_rows == 0
    before, shared = weight(some, keys[0]), row(some, keys[0])
    hit(some, keys[0], keys[1])
    assert some.own_rows == 1 and row(some, keys[0]) != shared
    assert torch.equal(weight(some, keys[0]), before)  # it begins where the cold row stands
    others = [key for key in keys[1:] if row(some, key) == shared]
    learn(some, np.array([keys[0]]))
    assert others and all(torch.equal(weight(some, key), before) for key in others)


def test_unused_rows_are_given_to_others() -> None:
    some = table(expire_after_positives=80)
    keys = [some.add(f"k{number}") for number in range(10)]
    taken = {row(some, key) for key in keys}
    for clock in range(10, 100, 10):
        hit(some, *keys[:4], clock=clock)
        assert some.own_rows == (4 if clock > 80 else 10)
    assert {row(some, key) for key in keys[4:]}.isdisjoint(taken)  # cold again
    newcomers = [some.add(f"n{number}") for number in range(6)]
    assert {row(some, key) for key in [*keys[:4], *newcomers]} == taken
    fresh = table()
    for key, number in zip(newcomers, range(6), strict=True):
        assert torch.equal(weight(some, key), weight(fresh, fresh.add(f"n{number}")))
    assert some.add("k9") == keys[9]
    before = weight(some, keys[9])
    hit(some, keys[9], clock=100)  # a hit gives it a row again, where its cold row stands
    assert some.own_rows == 11 and torch.equal(weight(some, keys[9]), before)


@pytest.mark.parametrize("dim", [16, 64])
def test_bytes_of_a_row_a_key_and_a_name_are_as_stated(dim: int) -> None:
    """The arrays by what they hold, and the names by what is really allocated."""
    some = table(dim, admit_after=1)
    tracemalloc.start()
    try:
        for number in range(50_000):
            some.add(f"item-{number}")
        allocated = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    by_key = [some._rows, some._cold, some._hits]
    assert {len(array) for array in by_key} == {65_536}  # the next power of two
    assert sum(array.nbytes for array in by_key) == 24 * 65_536
    assert 100 < (allocated - 24 * 65_536) / 50_000 < 200
    assert len(some.weight) == 1_024  # nobody was hit: no row of their own

    hit(some, *range(3_000))
    tensors, arrays = [some.weight, some._squares], [some._owners, some._used]
    assert {len(tensor) for tensor in tensors} | {len(array) for array in arrays} == {4_096}
    held = sum(tensor.nbytes for tensor in tensors) + sum(array.nbytes for array in arrays)
    assert held == (4 * dim + 20) * 4_096

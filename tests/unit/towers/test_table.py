from __future__ import annotations

import numpy as np
import pytest
import torch

from towers.table import EmbeddingTable


def test_row_wise_adagrad_as_a_loop_over_rows() -> None:
    table = EmbeddingTable(dim=3, lr=0.5, seed=0)
    for key in "abcd":
        table.add(key, norm=1.0)
    weights = table.weight[:4].double().numpy().copy()
    squares = np.zeros(4)
    random = np.random.default_rng(0)
    for _ in range(5):
        rows = np.flatnonzero(random.random(4) < 0.6)
        gradients = random.standard_normal((len(rows), 3))
        leaf = table.leaf(rows)
        # Reading each row twice gives its gradient twice: duplicates are summed by autograd.
        (torch.cat([leaf, leaf]) * torch.tensor(np.tile(gradients, (2, 1)))).sum().backward()  # type: ignore[no-untyped-call]  # torch
        table.learn(rows, leaf)
        for row, gradient in zip(rows, 2 * gradients, strict=True):
            squares[row] += np.mean(gradient**2)
            weights[row] -= 0.5 * gradient / np.sqrt(squares[row])
    np.testing.assert_allclose(table.weight[:4].numpy(), weights, rtol=1e-4, atol=1e-5)


def test_rows_survive_growth_and_begin_by_their_key_alone() -> None:
    one, other = EmbeddingTable(8, 0.1, seed=1), EmbeddingTable(8, 0.1, seed=1)
    keys = [f"k{i}" for i in range(3_000)]
    for key in keys:
        one.add(key, norm=0.5)
    for key in reversed(keys):
        other.add(key, norm=0.5)
    for key in ("k0", "k1500", "k2999"):
        mine, theirs = one.find(key), other.find(key)
        assert mine is not None and theirs is not None
        torch.testing.assert_close(one.weight[mine], other.weight[theirs], rtol=0, atol=0)
    norms = one.weight[: len(one)].norm(dim=1)
    assert norms.mean().item() == pytest.approx(0.5, rel=0.05)


def test_a_zero_row_gets_a_direction_once() -> None:
    table = EmbeddingTable(8, 0.1, seed=1)
    row = table.add("a", norm=0.0)
    assert not table.weight[row].any()
    table.give_direction("a", 0.5)
    before = table.weight[row].clone()
    assert before.any()
    table.give_direction("a", 2.0)
    assert torch.equal(table.weight[row], before)

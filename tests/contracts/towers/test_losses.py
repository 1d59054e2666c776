"""What any loss of the towers must do; `listwise` is the only one so far."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from towers.loss import expected_counts, listwise_loss

TAU = 0.2


def random_batch(rows: int, uniform: int, extra: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def unit(*shape: int) -> Tensor:
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return torch.nn.functional.normalize(values, dim=-1)

    columns = rows + uniform
    return [
        unit(rows, 4),
        unit(columns, 4),
        torch.randn(columns, generator=generator, dtype=torch.float64),
        torch.rand(rows, columns, generator=generator) < 0.3,
        torch.rand(rows, generator=generator, dtype=torch.float64) + 0.1,
        unit(rows, extra, 4),
        torch.rand(rows, extra, generator=generator) < 0.5,
    ]


def loss_of(batch: list[Tensor]) -> Tensor:
    users, columns, logs, excluded, weights, extra, absent = batch
    return listwise_loss(users, columns, logs, excluded, weights, TAU, extra, absent)


def naive_loss(batch: list[Tensor]) -> float:
    """Row by row, column by column."""
    users, columns, logs, excluded, weights, extra, absent = (each.tolist() for each in batch)
    total = 0.0
    for row, user in enumerate(users):
        score = [sum(a * b for a, b in zip(user, other, strict=True)) / TAU for other in columns]
        corrected = [one - log for one, log in zip(score, logs, strict=True)]
        terms = [
            one
            for column, one in enumerate(corrected)
            if column == row or not excluded[row][column]
        ]
        for other, missing in zip(extra[row], absent[row], strict=True):
            if not missing:
                terms.append(sum(a * b for a, b in zip(user, other, strict=True)) / TAU)
        total += weights[row] * (math.log(sum(map(math.exp, terms))) - corrected[row])
    return float(total / sum(weights))


@pytest.mark.parametrize("shape", [(1, 0, 0), (1, 3, 0), (5, 0, 2), (6, 7, 3)])
def test_equals_a_loop_over_rows_and_columns(shape: tuple[int, int, int]) -> None:
    batch = random_batch(*shape)
    assert loss_of(batch).item() == pytest.approx(naive_loss(batch), abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 0, 0), (1, 2, 1), (4, 3, 2)])
def test_gradients(shape: tuple[int, int, int]) -> None:
    users, columns, logs, excluded, weights, extra, absent = random_batch(*shape)

    def loss(users: Tensor, columns: Tensor, extra: Tensor) -> Tensor:
        return listwise_loss(users, columns, logs, excluded, weights, TAU, extra, absent)

    inputs = [each.requires_grad_() for each in (users, columns, extra)]
    assert torch.autograd.gradcheck(loss, inputs)


def test_a_known_value() -> None:
    # Two orthogonal users, each with its own target: logits 1/tau and 0, so log(1 + e^-5).
    eye = torch.eye(2, dtype=torch.float64)
    nothing = torch.zeros(2, 2, dtype=torch.bool)
    zeros, ones = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    loss = listwise_loss(eye, eye, zeros, nothing, ones, TAU)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-5)))


def test_one_row_without_negatives_has_nothing_to_learn() -> None:
    batch = random_batch(1, 0, 0)
    batch[0].requires_grad_()
    loss = loss_of(batch)
    loss.backward()  # type: ignore[no-untyped-call]  # torch
    assert loss.item() == pytest.approx(0)
    assert batch[0].grad is not None and not batch[0].grad.any()


@pytest.mark.parametrize("scale", [1e4, 1e-8])
def test_extreme_logits_stay_finite(scale: float) -> None:
    batch = random_batch(4, 4, 2)
    batch[6][:] = True  # every extra absent
    leaves = [batch[index].mul(scale).requires_grad_() for index in (0, 1, 5)]
    batch[0], batch[1], batch[5] = leaves
    loss = loss_of(batch)
    loss.backward()  # type: ignore[no-untyped-call]  # torch
    assert torch.isfinite(loss)
    for leaf in leaves:
        assert leaf.grad is not None and torch.isfinite(leaf.grad).all()


def test_the_order_of_rows_and_of_uniform_columns_does_not_matter() -> None:
    batch = random_batch(5, 4, 2)
    rows = torch.tensor([3, 0, 4, 1, 2])
    columns = torch.cat([rows, 5 + torch.tensor([2, 0, 3, 1])])
    moved = [
        batch[0][rows],
        batch[1][columns],
        batch[2][columns],
        batch[3][rows][:, columns],
        batch[4][rows],
        batch[5][rows],
        batch[6][rows],
    ]
    assert loss_of(moved).item() == pytest.approx(loss_of(batch).item())


def test_the_correction_undoes_the_sampling() -> None:
    """The pull on each item is its share of the softmax over all items, however it was drawn.

    Popular items are drawn far more often; without the correction they would weigh too much.
    """
    random = np.random.default_rng(0)
    items, draws, target = 20, 40_000, 3
    vectors = torch.from_numpy(random.standard_normal((items, 4)))
    vectors = torch.nn.functional.normalize(vectors)
    user = vectors[target : target + 1]
    shares = np.arange(1, items + 1) ** -1.0
    shares /= shares.sum()
    drawn = np.concatenate([[target], random.choice(items, draws, p=shares)])
    columns = vectors[drawn].requires_grad_()
    listwise_loss(
        user,
        columns,
        torch.from_numpy(np.log(draws * shares[drawn])),
        torch.from_numpy(drawn == target).unsqueeze(0),
        torch.ones(1, dtype=torch.float64),
        TAU,
    ).backward()  # type: ignore[no-untyped-call]  # torch
    assert columns.grad is not None
    pulls = (columns.grad @ user[0]).numpy() * TAU  # of a softmax: its share
    found = np.bincount(drawn, pulls, minlength=items)
    expected = torch.softmax(user @ vectors.T / TAU, dim=1)[0].numpy()
    others = np.arange(items) != target
    found, expected = found[others] / found[others].sum(), expected[others] / expected[others].sum()
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_expected_counts_are_those_of_a_simulation() -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.5, 0.3, 0.2], np.float32)
    counted = np.zeros(3)
    for _ in range(4_000):
        counted += np.bincount(random.choice(3, 8, p=shares / shares.sum()), minlength=3)
        counted += np.bincount(random.integers(0, 3, 6), minlength=3)
    np.testing.assert_allclose(expected_counts(shares, 8, 6, 3), counted / 4_000, rtol=0.02)

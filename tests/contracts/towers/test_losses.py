"""What every objective must do, against a loop over rows and columns with the formula in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from schemas.settings import Objective, TowerSettings
from towers.loss import LOSSES, Contest

TAU, MARGIN, RATIO = 0.2, 0.3, 2.5
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

pytestmark = pytest.mark.parametrize("objective", OBJECTIVES)


def settings(objective: Objective, **others: object) -> TowerSettings:
    values = {"objective": objective, "tau": TAU, "margin": MARGIN, "negatives_ratio": RATIO}
    return TowerSettings.model_validate(values | others)


def contest(rows: int, uniform: int, extra: int, seed: int = 0) -> Contest:
    generator = torch.Generator().manual_seed(seed)

    def unit(*shape: int) -> Tensor:
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return torch.nn.functional.normalize(values, dim=-1)

    columns = rows + uniform
    return Contest(
        users=unit(rows, 4),
        columns=unit(columns, 4),
        log_counts=torch.randn(columns, generator=generator, dtype=torch.float64),
        excluded=torch.rand(rows, columns, generator=generator) < 0.3,
        weights=torch.rand(rows, generator=generator, dtype=torch.float64) + 0.1,
        extra=unit(rows, extra, 4),
        extra_absent=torch.rand(rows, extra, generator=generator) < 0.5,
    )


def loss_of(given: Contest, objective: Objective, **others: object) -> Tensor:
    chosen = settings(objective, **others)
    return LOSSES[chosen.objective](given, chosen)


Negatives = list[tuple[float, float]]
"""Score and share of each negative of a row."""


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def by_pairs(term: Callable[[float], float]) -> Callable[[float, float, Negatives], float]:
    """The sum over negatives of a term of how far the target is ahead."""
    return lambda target, _, negatives: sum(n * term(target - s) for s, n in negatives)


ROW_LOSSES: dict[Objective, Callable[[float, float, Negatives], float]] = {
    "hinge": by_pairs(lambda ahead: max(0.0, MARGIN - ahead)),
    "logistic": by_pairs(lambda ahead: softplus(-ahead / TAU)),
    "pointwise": lambda target, _, negatives: (
        softplus(-target / TAU) + sum(share * softplus(score / TAU) for score, share in negatives)
    ),
    "squared": lambda target, weight, negatives: (
        (target - weight) ** 2 + sum(share * score**2 for score, share in negatives)
    ),
}
"""Of a target's score and weight and its negatives: all but `listwise`."""


def naive_loss(given: Contest, objective: Objective, logq: bool = True) -> float:
    """Row by row, column by column."""
    users, columns, logs, excluded, weights, extra, absent = (each.tolist() for each in given)
    logs = logs if logq else [0.0] * len(logs)
    losses = []
    for row, user in enumerate(users):
        score = [sum(a * b for a, b in zip(user, other, strict=True)) for other in columns]
        sampled = [c for c in range(len(columns)) if c != row and not excluded[row][c]]
        shown = [
            sum(a * b for a, b in zip(user, other, strict=True))
            for other, missing in zip(extra[row], absent[row], strict=True)
            if not missing
        ]
        if objective == "listwise":
            corrected = [score[c] / TAU - logs[c] for c in [row, *sampled]]
            terms = [math.exp(each) for each in [*corrected, *(s / TAU for s in shown)]]
            losses.append(math.log(sum(terms)) - corrected[0])
            continue
        by_shown = min(len(shown), RATIO) if sampled else RATIO
        total = sum(math.exp(-logs[c]) for c in sampled)
        rest = RATIO - by_shown if shown else RATIO
        negatives = [(score[c], rest * math.exp(-logs[c]) / total) for c in sampled]
        negatives += [(s, by_shown / len(shown)) for s in shown]
        losses.append(ROW_LOSSES[objective](score[row], weights[row], negatives))
    if objective == "squared":  # the weight is what is to be said, not how much it counts
        return math.fsum(losses) / len(losses)
    weighted = (weight * each for weight, each in zip(weights, losses, strict=True))
    return math.fsum(weighted) / math.fsum(weights)


@pytest.mark.parametrize("logq", [True, False])
@pytest.mark.parametrize("shape", [(1, 0, 0), (1, 0, 2), (1, 3, 0), (5, 0, 2), (6, 7, 4)])
def test_equals_a_loop_over_rows_and_columns(
    objective: Objective, shape: tuple[int, int, int], logq: bool
) -> None:
    for seed in range(5):
        given = contest(*shape, seed=seed)
        found = loss_of(given, objective, logq=logq).item()
        assert found == pytest.approx(naive_loss(given, objective, logq), abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 0, 0), (1, 2, 1), (4, 3, 2)])
def test_gradients_are_those_of_autograds_own_check(
    objective: Objective, shape: tuple[int, int, int]
) -> None:
    given = contest(*shape)

    def loss(users: Tensor, columns: Tensor, extra: Tensor) -> Tensor:
        return loss_of(given._replace(users=users, columns=columns, extra=extra), objective)

    inputs = [each.requires_grad_() for each in (given.users, given.columns, given.extra)]
    assert torch.autograd.gradcheck(loss, inputs)


KNOWN: dict[Objective, float] = {
    # One target at cosine 1 and one negative at cosine 0, which counts 2.5 but in a softmax.
    "listwise": math.log1p(math.exp(-5)),
    "hinge": 0.0,  # ahead by more than .3
    "logistic": 2.5 * math.log1p(math.exp(-5)),
    "pointwise": math.log1p(math.exp(-5)) + 2.5 * math.log(2),
    "squared": 0.0,
}


def test_a_value_known_by_hand(objective: Objective) -> None:
    eye = torch.eye(2, dtype=torch.float64)
    given = Contest(
        users=eye[:1],
        columns=eye,
        log_counts=torch.zeros(2, dtype=torch.float64),
        excluded=torch.zeros(1, 2, dtype=torch.bool),
        weights=torch.ones(1, dtype=torch.float64),
        extra=torch.zeros(1, 0, 2, dtype=torch.float64),
        extra_absent=torch.zeros(1, 0, dtype=torch.bool),
    )
    assert loss_of(given, objective).item() == pytest.approx(KNOWN[objective])


def test_the_order_of_rows_columns_and_shown_items_does_not_matter(objective: Objective) -> None:
    given = contest(5, 4, 3)
    rows = torch.tensor([3, 0, 4, 1, 2])
    columns = torch.cat([rows, 5 + torch.tensor([2, 0, 3, 1])])
    shown = torch.tensor([2, 0, 1])
    moved = Contest(
        given.users[rows],
        given.columns[columns],
        given.log_counts[columns],
        given.excluded[rows][:, columns],
        given.weights[rows],
        given.extra[rows][:, shown],
        given.extra_absent[rows][:, shown],
    )
    found = loss_of(moved, objective).item()
    assert found == pytest.approx(loss_of(given, objective).item())


@pytest.mark.parametrize("scale", [1e4, 1e-8])
def test_extreme_logits_stay_finite(objective: Objective, scale: float) -> None:
    given = contest(4, 4, 2)
    leaves = [
        each.mul(scale).requires_grad_() for each in (given.users, given.columns, given.extra)
    ]
    users, columns, extra = leaves
    logs = given.log_counts * 50  # expected counts from e^-100 to e^100
    loss = loss_of(Contest(users, columns, logs, *given[3:5], extra, given[6]), objective)
    loss.backward()  # type: ignore[no-untyped-call]  # torch
    assert torch.isfinite(loss)
    for leaf in leaves:
        assert leaf.grad is not None and torch.isfinite(leaf.grad).all()


def test_absent_and_excluded_negatives_pull_at_nothing(objective: Objective) -> None:
    given = contest(3, 4, 2)
    for leaf in (given.columns, given.extra):
        leaf.requires_grad_()
    excluded, absent = torch.ones_like(given.excluded), torch.ones_like(given.extra_absent)
    lonely = given._replace(excluded=excluded, extra_absent=absent)
    loss_of(lonely, objective).backward()  # type: ignore[no-untyped-call]  # torch
    assert given.columns.grad is not None and not given.columns.grad[3:].any()
    assert given.extra.grad is None or not given.extra.grad.any()


def test_one_row_without_negatives(objective: Objective) -> None:
    """It has nothing to be ahead of; by itself it is still pulled to its target."""
    given = contest(1, 0, 0)
    given.users.requires_grad_()
    loss = loss_of(given, objective)
    loss.backward()  # type: ignore[no-untyped-call]  # torch
    assert given.users.grad is not None
    pulled = -(given.users.grad @ given.columns[0]).item()
    if objective in ("pointwise", "squared"):
        score = (given.users @ given.columns[0]).item()
        slope = 1 / (1 + math.exp(score / TAU)) / TAU
        if objective == "squared":
            slope = 2 * (given.weights.item() - score)
        assert pulled == pytest.approx(slope)
    else:
        assert (loss.item(), pulled) == pytest.approx((0, 0))


@pytest.mark.parametrize("logq", [True, False])
def test_the_correction_undoes_the_sampling(objective: Objective, logq: bool) -> None:
    """The pull of each item is as from all items alike, however often it was drawn.

    Popular items are drawn far more often; without the correction they weigh too much.
    """
    random = np.random.default_rng(0)
    items, draws, target = 20, 40_000, 3
    vectors = torch.nn.functional.normalize(torch.from_numpy(random.standard_normal((items, 4))))
    shares = (np.arange(1, items + 1) ** -1.0).astype(np.float64)
    shares /= shares.sum()
    others = random.choice(items, draws, p=shares)
    every = np.concatenate([np.arange(target), np.arange(target + 1, items)])
    pulls = [
        _pulls(vectors, target, drawn, counts, objective, logq)
        for drawn, counts in ((others, draws * shares), (every, np.ones(items)))
    ]
    found, expected = (np.delete(pull, target) for pull in pulls)
    close = np.allclose(found / found.sum(), expected / expected.sum(), atol=0.02)
    assert close == logq


def _pulls(
    vectors: Tensor,
    target: int,
    others: npt.NDArray[np.int64],
    counts: npt.NDArray[np.float64],
    objective: Objective,
    logq: bool,
) -> npt.NDArray[np.float64]:
    """(items,): length of the gradient of each item as a negative of the target's user."""
    drawn = np.concatenate([[target], others])
    columns = vectors[torch.from_numpy(drawn)].requires_grad_()
    given = Contest(
        users=vectors[target : target + 1] * 0.3,  # near enough to all for every margin to count
        columns=columns,
        log_counts=torch.from_numpy(np.log(counts[drawn])),
        excluded=torch.from_numpy(drawn == target).unsqueeze(0),
        weights=torch.ones(1, dtype=torch.float64),
        extra=torch.zeros(1, 0, 4, dtype=torch.float64),
        extra_absent=torch.zeros(1, 0, dtype=torch.bool),
    )
    loss_of(given, objective, logq=logq).backward()  # type: ignore[no-untyped-call]  # torch
    assert columns.grad is not None
    lengths = columns.grad.norm(dim=1).numpy()
    return np.bincount(drawn, lengths, minlength=len(vectors)).astype(np.float64)

"""The objectives: what pulls a user to a target and away from negatives.

One contract, `LOSSES`: a contest and the settings in, a scalar with gradients out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from schemas.settings import Objective, TowerSettings
from towers.softmax import SampledSoftmax


class Contest(NamedTuple):
    """Users, each with a target, against what may be a negative of theirs."""

    users: Tensor
    """(rows, dim)"""
    columns: Tensor
    """(columns, dim), of which column i < rows is the target of row i."""
    log_counts: Tensor
    """(columns,) log of how often the sampling is expected to bring that column's item."""
    excluded: Tensor
    """(rows, columns) true where a column is no negative of that row; a target never is its own."""
    weights: Tensor
    """(rows,) weights of the positives, at least one above 0."""
    extra: Tensor
    """(rows, extra, dim) negatives of that row alone, which were shown to it, not sampled."""
    extra_absent: Tensor
    """(rows, extra) true where there is none."""


class _Scores(NamedTuple):
    targets: Tensor
    """(rows,)"""
    negatives: Tensor
    """(rows, columns + extra)"""
    shares: Tensor
    """(rows, columns + extra) how much each negative counts; 0 where it is none."""


def listwise_loss(contest: Contest, settings: TowerSettings) -> Tensor:
    """Mean over rows, by weight, of -log softmax of the target among all columns of its row.

    A sampled column's logit is corrected by its log count, as for a softmax over all items
    (Bengio & Senecal, 2008; Yi et al., RecSys 2019, eq. 5); an extra one was not sampled.
    """
    losses: Tensor = SampledSoftmax.apply(  # type: ignore[no-untyped-call]  # torch
        contest.users / settings.tau,
        contest.columns,
        contest.extra,
        _shifts(contest, settings),
        contest.excluded,
        contest.extra_absent,
    )  # (rows,)
    return _weighted(losses, contest)


def hinge_loss(contest: Contest, settings: TowerSettings) -> Tensor:
    """Triplets: max(0, margin - score of the target + score of the negative), by shares."""
    scores = _scores(contest, settings)
    lacking = torch.relu(settings.margin - scores.targets.unsqueeze(1) + scores.negatives)
    return _weighted((scores.shares * lacking).sum(dim=1), contest)


def logistic_loss(contest: Contest, settings: TowerSettings) -> Tensor:
    """-log sigmoid((target - negative) / tau), by shares (BPR: Rendle et al., UAI 2009)."""
    scores = _scores(contest, settings)
    ahead = (scores.targets.unsqueeze(1) - scores.negatives) / settings.tau
    return _weighted((scores.shares * F.softplus(-ahead)).sum(dim=1), contest)


def pointwise_loss(contest: Contest, settings: TowerSettings) -> Tensor:
    """Binary cross-entropy of score / tau: a target is 1, its negatives, by shares, are 0."""
    scores = _scores(contest, settings)
    missed = F.softplus(-scores.targets / settings.tau)  # (rows,)
    taken = F.softplus(scores.negatives / settings.tau)  # (rows, columns + extra)
    return _weighted(missed + (scores.shares * taken).sum(dim=1), contest)


def squared_loss(contest: Contest, settings: TowerSettings) -> Tensor:
    """Matrix completion: a target's score is to be its weight, a negative's 0, by shares."""
    scores = _scores(contest, settings)
    missed = (scores.targets - contest.weights).square()  # (rows,)
    return (missed + (scores.shares * scores.negatives.square()).sum(dim=1)).mean()


LOSSES: Mapping[Objective, Callable[[Contest, TowerSettings], Tensor]] = {
    "listwise": listwise_loss,
    "hinge": hinge_loss,
    "logistic": logistic_loss,
    "pointwise": pointwise_loss,
    "squared": squared_loss,
}


def _scores(contest: Contest, settings: TowerSettings) -> _Scores:
    sampled = contest.users @ contest.columns.T  # (rows, columns)
    shown = torch.einsum("rd,red->re", contest.users, contest.extra)  # (rows, extra)
    shares = _shares(contest, settings)
    return _Scores(sampled.diagonal(), torch.cat([sampled, shown], dim=1), shares)


def _shares(contest: Contest, settings: TowerSettings) -> Tensor:
    """(rows, columns + extra): the negatives of a row count `negatives_ratio` in all.

    Each extra one counts 1, or an equal part of the ratio if they are more; what is left of it is
    spread over the sampled ones, as the expectation of drawing so many of them: by the inverse of
    their expected counts, so that it is one over all items alike, or equally without `logq`. A row
    that has one kind only gives it the whole ratio.
    """
    rows, columns = contest.excluded.shape
    ratio = settings.negatives_ratio
    own = torch.eye(rows, columns, dtype=torch.bool)  # (rows, columns)
    shifts = _shifts(contest, settings).repeat(rows, 1)  # (rows, columns)
    spread = torch.softmax(shifts.masked_fill(contest.excluded | own, -torch.inf), dim=1)
    spread = spread.nan_to_num()  # a row without sampled negatives
    some = spread.sum(dim=1) > 0.5  # (rows,)
    shown = (~contest.extra_absent).to(spread)  # (rows, extra)
    number = shown.sum(dim=1)  # (rows,)
    by_shown = torch.where(some, number.clamp(max=ratio), ratio * (number > 0))  # (rows,)
    each = by_shown / number.clamp(min=1)  # (rows,)
    rest = ratio - by_shown  # (rows,)
    return torch.cat([rest.unsqueeze(1) * spread, each.unsqueeze(1) * shown], dim=1)


def _shifts(contest: Contest, settings: TowerSettings) -> Tensor:
    return -contest.log_counts if settings.logq else torch.zeros_like(contest.log_counts)


def _weighted(losses: Tensor, contest: Contest) -> Tensor:
    return (contest.weights * losses).sum() / contest.weights.sum()

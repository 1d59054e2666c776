"""Figures of a list of ranks; pure."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_Z = 1.959963984540054  # 97.5 % of the normal distribution


class Estimate(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def hits(ranks: Ints, k: int) -> Doubles:
    """(positives,): 1 where the rank is within the first `k`. Ranks count from 1; 0 is a miss."""
    return ((ranks >= 1) & (ranks <= k)).astype(np.float64)


def reciprocals(ranks: Ints) -> Doubles:
    """(positives,): 1 / rank; 0 for a miss."""
    return np.where(ranks >= 1, 1.0 / np.maximum(ranks, 1), 0.0)


def random_hits(candidates: Ints, k: int) -> Doubles:
    """(positives,): chance that a random list of `k` holds one given candidate."""
    return np.minimum(1.0, k / np.maximum(candidates, 1))


def estimate(values: Doubles, users: Ints) -> Estimate:
    """The mean of `values`, by a normal interval that lets the values of one user hang together.

    values, users: (positives,). The variance of the mean is the sum over users of the square of
    their deviations' sum, over n squared, times U / (U - 1) for U users (Liang & Zeger, 1986).
    NaN without a value; without an interval for a single user.
    """
    count = len(values)
    if not count:
        return Estimate(math.nan, math.nan, math.nan)
    mean = float(values.mean())
    _, groups = np.unique(users, return_inverse=True)
    sums = np.bincount(groups, weights=values - mean)  # (distinct users,)
    if len(sums) < 2:
        return Estimate(mean, math.nan, math.nan)
    variance = float((sums**2).sum()) / count**2 * len(sums) / (len(sums) - 1)
    half = _Z * math.sqrt(variance)
    return Estimate(mean, mean - half, mean + half)


def moving_average(values: Doubles, window: int, points: int) -> tuple[Ints, Doubles]:
    """The mean over the last `window` values at `points` evenly spaced ends, and those ends.

    An end counts the values up to it; the first is at `window`, or at the last value if there are
    fewer. At least 2 points; equal ends are given once.
    """
    count = len(values)
    if not count:
        return np.zeros(0, np.int64), np.zeros(0)
    window = min(window, count)
    ends = np.unique(np.linspace(window, count, points).astype(np.int64))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return ends, (sums[ends] - sums[ends - window]) / window

"""Picking the best of many numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray

_PER_BLOCK = 4
"""Blocks for each number that is looked for: more give fewer that are too many."""


def top(values: npt.NDArray[Any], count: int) -> IntArray:
    """Positions of the `count` largest values, or of all when there are fewer; in no order."""
    if count >= len(values):
        return np.arange(len(values))
    if count <= 0:
        return np.empty(0, dtype=np.intp)
    return np.argpartition(values, len(values) - count)[len(values) - count :]


def top_of_each(values: npt.NDArray[Any], count: int) -> list[IntArray]:
    """For each column of `values` (rows, columns) rows that have its `count` largest, or all.

    Some more come with them: all that reach the `count`-th largest of the maxima of blocks of
    rows, as `count` numbers do, so that most are only compared with a bound.
    """
    rows, columns = values.shape
    size = rows // (_PER_BLOCK * count) if count > 0 else 0
    if size < 2:
        return [top(column, count) for column in values.T]
    blocks = rows // size
    # Block b has the rows b, b + blocks, ...: whole runs of memory are compared with each other.
    maxima = values[: size * blocks].reshape(size, blocks * columns).max(axis=0)
    maxima = maxima.reshape(blocks, columns)
    bounds = np.partition(maxima, blocks - count, axis=0)[blocks - count]
    reached = np.flatnonzero(values >= bounds)
    found, owners = np.divmod(reached, columns)
    in_order = np.argsort(owners, kind="stable")
    ends = np.searchsorted(owners[in_order], np.arange(1, columns))
    return np.split(found[in_order], ends)

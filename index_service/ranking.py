"""Picking the best of many numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray


def top(values: npt.NDArray[Any], count: int) -> IntArray:
    """Positions of the `count` largest values, or of all when there are fewer; in no order."""
    if count >= len(values):
        return np.arange(len(values))
    if count <= 0:
        return np.empty(0, dtype=np.intp)
    return np.argpartition(values, len(values) - count)[len(values) - count :]

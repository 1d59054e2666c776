"""What is searched for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.recall import Condition
from schemas.vectors import Float32Array


class Marked(NamedTuple):
    """The items with marks, signal after signal."""

    item_ids: list[str]
    values: npt.NDArray[np.float64]
    """(item_ids,)"""
    ends: dict[str, int]
    """By signal: where among the item ids its own end."""


@dataclass(frozen=True)
class Query:
    """The best `k` items by the score of `schemas.score`."""

    vector: Float32Array | None
    """(dim,), unit length. None when no direction is known: trending items only."""
    k: int
    scale: float
    weights: Mapping[str, float]
    """Of the signals other than the cosine, by name."""
    trend_clock: float
    """The counts are decayed to this clock."""
    marks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By signal: what few items have of it; they are candidates, too."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """An item must meet them all."""
    exclude: frozenset[str] = frozenset()
    """Items that are not wanted."""
    shards: frozenset[int] | None = None
    """Only items of these; None: of all that are here."""

    @cached_property
    def marked(self) -> Marked:
        """The marks, in line, as they are looked up."""
        item_ids = list(chain.from_iterable(self.marks.values()))
        values = chain.from_iterable(each.values() for each in self.marks.values())
        ends = accumulate(len(each) for each in self.marks.values())
        return Marked(
            item_ids,
            np.fromiter(values, np.float64, len(item_ids)),
            dict(zip(self.marks, ends, strict=True)),
        )

"""What a shard is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.recall import Condition
from schemas.vectors import Float32Array


@dataclass(frozen=True)
class Query:
    """The best `k` items by `scale * cosine + sum of weight * log(1 + decayed count)`."""

    vector: Float32Array | None
    """(dim,), unit length. None for someone of whom nothing is known: trending items only."""
    k: int
    scale: float
    weights: Mapping[str, float]
    """Of `positives` and `exposures`; without a vector only the former counts, with weight 1."""
    trend_clock: float
    """The counts are decayed to this clock."""
    half_life: float
    """On that clock."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """An item must meet them all."""
    exclude: frozenset[str] = frozenset()
    """Items that are not wanted."""

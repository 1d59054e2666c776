"""What is searched for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.recall import Condition
from schemas.vectors import Float32Array


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

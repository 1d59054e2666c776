"""What index nodes tell and ask each other: who holds which shards, and what those find."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.recall import Condition, RecalledItem


class NodeState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node, as it says itself a few times a second: silent for long, it is dead."""

    node: str
    """Its name, new with each start."""
    replica: str
    """Nodes of one replica share the shards; another replica has them all once more."""
    shards: list[int] = []
    """Those that are loaded and can be asked."""
    fields: list[str] = []
    """Attributes that some item of these has."""
    leaving: bool = False
    """It stops: ask others."""


class ShardQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """The best `k` items of some shards by the score of `schemas.score`."""

    k: int
    scale: float
    trend_clock: float
    """The items' counts are decayed to this clock."""
    vector: bytes | None = None
    """Unit length, `pack_vector`; none where no direction is known."""
    weights: dict[str, float] = {}
    marks: dict[str, dict[str, float]] = {}
    filter: dict[str, Condition] = {}
    exclude: list[str] = []


class ShardCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one node asks of another about some of its shards."""

    to: str
    """The node that is to answer; others pass it over."""
    shards: list[int]
    queries: list[ShardQuery] = []
    vectors_of: list[str] = []
    """Items whose vectors are wanted, to ask for what is like them."""


class ShardAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a `ShardCall`."""

    status: Literal["ok", "error"]
    shards: list[int] = []
    """Those of the shards asked that this node holds: what follows is of these."""
    found: list[list[RecalledItem]] = []
    """For each query its best items, by falling score."""
    vectors: dict[str, bytes] = {}
    """By item, `pack_vector`, of those that are known."""
    step: int = 0
    """The newest trainer step among the vectors searched."""

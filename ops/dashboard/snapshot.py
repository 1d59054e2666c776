"""What the page is told, once a second."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.status import Role

Health = Literal["ok", "idle", "warn", "bad", "unknown"]
"""`idle`: all is well and nothing flows."""

WORST_FIRST: tuple[Health, ...] = ("bad", "warn", "unknown", "ok", "idle")

InstanceState = Literal[
    "ready", "waiting", "silent", "gone", "stopped", "replaced", "absent", "unknown"
]
"""`silent`: it has not reported for a while; `gone`: its report has expired; `stopped`: it took its
report away itself; `replaced`: gone, and another has started since; `absent`: no process of the
role has ever been seen."""


class Stage(msgspec.Struct, frozen=True):
    """One box or pipe of the chain."""

    health: Health
    says: str
    """In a few words, why."""
    rate: float | None = None
    """Per second; None while unknown."""
    lag_s: float | None = None
    """How long the next record has waited for its commit."""
    normal_s: float | None = None
    """`lag_s` up to here is how the role works."""
    figures: dict[str, float | None] = {}
    """What else the box shows, by name."""


class InstanceRow(msgspec.Struct, frozen=True):
    """One process of a role."""

    role: Role
    instance: str
    state: InstanceState
    health: Health
    says: str
    up_s: float
    heard_s: float
    """Seconds since its last word."""


class ReadingRow(msgspec.Struct, frozen=True):
    """One role's reading of one topic, over all partitions."""

    role: Role
    topic: str
    group: str | None
    partitions: int
    records: int | None
    waiting_s: float | None
    normal_s: float
    health: Health
    note: str


class LetterView(msgspec.Struct, frozen=True):
    """A dead letter as it may be shown: decoded, cut and without secrets."""

    at_ms: int
    reason: str
    detail: str
    role: str
    topic: str
    partition: int
    offset: int
    value: str
    value_bytes: int
    header_names: list[str]
    """Names alone: values may hold a caller's credentials."""


class Letters(msgspec.Struct, frozen=True):
    """The topic of dead letters."""

    kept: int
    """On the topic now."""
    looked_at: int
    """Newest of them that the reasons below count."""
    reasons: dict[str, int]
    """Most frequent first."""
    newest: list[LetterView]
    """Newest first."""
    recent: int
    """Set aside in the last five minutes."""
    skipped: int = 0
    """Left out, as more came than are looked at."""


class Snapshot(msgspec.Struct, frozen=True):
    """All of the page at one moment."""

    at_ms: int
    health: Health
    headline: str
    problems: list[str]
    stages: dict[str, Stage]
    instances: list[InstanceRow]
    readings: list[ReadingRow]
    letters: Letters | None
    """None until the topic has been read."""
    point: dict[str, float | None]
    """The newest point of the charts, by series."""


def worst_of(healths: list[Health]) -> Health:
    """The one that an operator must know of; `idle` only where all are."""
    return next((one for one in WORST_FIRST if one in healths), "unknown")

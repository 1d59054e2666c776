"""What a role says about itself, once a second, in Redis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol

import msgspec
from prometheus_client import Metric

Role = Literal["label-positives", "label-negatives", "trainer", "index"]

ROLES: tuple[Role, ...] = ("label-positives", "label-negatives", "trainer", "index")

STATUS_TTL_MS = 5_000
"""A status older than this is gone: its role is dead or cut off."""


class RoleStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """One running role."""

    role: Role
    instance: str
    """host:pid"""
    started_ms: int
    reported_ms: int
    ready: bool
    """Caught up enough to do its work."""
    reason: str = ""
    """Why it is not ready."""
    figures: dict[str, float] = {}
    """Counters and gauges by name."""
    http: str = ""
    """Where its metrics and its health are: host:port; empty where HTTP is off."""


class RoleReport(NamedTuple):
    """What a role process knows of itself."""

    ready: bool
    reason: str
    figures: dict[str, float]
    idle_s: float = 0.0
    """Seconds since its loop last turned; 0 while it has not begun to turn."""


class Reading(NamedTuple):
    """Where a role is in the topics that it reads."""

    group: str | None
    """Its consumer group."""
    next_offsets: Mapping[tuple[str, int], int | None]
    """By topic and partition, the record to be processed next; None for where the group is."""


class RoleProcess(Protocol):
    """A role as the command line runs it."""

    def run(self) -> None:
        """Do the role's work until `stop`; the main thread blocks here."""

    def stop(self) -> None:
        """Ask `run` to finish what is in hand and return; from any thread or a signal handler."""

    def report(self) -> RoleReport:
        """How it goes; from any thread."""

    def reading(self) -> Reading:
        """Where it is in the topics that it reads; from any thread."""

    def collect(self) -> Iterable[Metric]:
        """Its metrics, as a collector of prometheus_client; from any thread."""


def status_key(namespace: str, role: str, instance: str) -> str:
    """Redis key of one role's status."""
    return f"{namespace}:role:{role}:{instance}"

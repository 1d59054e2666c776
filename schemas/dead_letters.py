"""What could not be used (topic `dead-letters`)."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Reason = Literal[
    "empty",
    "oversized",
    "undecodable",
    "missing_field",
    "invalid_field",
    "unknown_action",
    "from_the_future",
    "internal_error",
    "oversized_label",
]
"""Why something could not be used."""

REASONS: tuple[Reason, ...] = get_args(Reason)

MAX_KEPT_BYTES = 65_536
"""A dead letter keeps this much of the original; the whole stays at its topic and offset."""


class DeadLetter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record, or one event of a record, that a role refused, and why."""

    reason: str
    """One of `REASONS`, and perhaps of later ones."""
    detail: str
    """The rule, the value that broke it, and what to do."""
    role: str
    topic: str
    partition: int
    offset: int
    ts_ms: int
    """When it was refused."""
    value: bytes
    """The original bytes, of the one event where only that was bad; at most `MAX_KEPT_BYTES`."""
    value_bytes: int
    """Length of the original; larger than `value` when that was cut."""
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = []

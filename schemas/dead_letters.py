"""What could not be used (topic `dead-letters`)."""

from __future__ import annotations

import msgspec

MAX_KEPT_BYTES = 65_536
"""A dead letter keeps this much of the original; the whole stays at its topic and offset."""


class DeadLetter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record, or one event of a record, that a role refused, and why."""

    reason: str
    """A short stable name: `undecodable`, `missing_field`, `unknown_action`, `oversized`, ..."""
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

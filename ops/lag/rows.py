"""Lag of one partition, from offsets and the next record's times; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from ops.lag.subscriptions import Subscription
from schemas.status import Role

State = Literal["ok", "behind", "unknown"]


class Offsets(NamedTuple):
    """What Kafka says of one partition."""

    begin: int
    end: int
    committed: int | None
    """None where the group has committed nothing."""


class NextRecord(NamedTuple):
    """Times of the record to be processed next; None where there is none to be had."""

    written_ms: int | None
    """Its timestamp in the log."""
    event_ms: int | None
    """The event time in it; where it tells of none, its timestamp."""


class LagRow(msgspec.Struct, frozen=True):
    """How far one role is behind on one partition."""

    role: Role
    group: str | None
    topic: str
    partition: int
    committed: int | None
    end: int
    records: int | None
    """From the commit to the end; None where that can't be known. Above the truth where the topic
    is compacted."""
    waiting_s: float | None
    """Now minus the time at which the next record was written to the log; 0 without one."""
    event_age_s: float | None
    """Now minus the event time in the next record; where it tells of none, as `waiting_s`."""
    normal_s: float
    """`waiting_s` up to here is how the role works."""
    state: State
    note: str


def next_offset(reading: Subscription, offsets: Offsets) -> int | None:
    """Offset of the record that the role would process next; None where Kafka can't say."""
    if reading.group is None:
        return None
    if offsets.committed is None:
        return offsets.begin if reading.begins == "earliest" else None
    return max(offsets.committed, offsets.begin)


def lag_row(
    reading: Subscription, partition: int, offsets: Offsets, record: NextRecord, now_ms: int
) -> LagRow:
    """The row. A commit outside of what the topic holds is told in its note."""
    start = next_offset(reading, offsets)
    records = None if start is None else max(0, offsets.end - start)
    waiting_s: float | None = None
    if records == 0:
        waiting_s = 0.0
    elif records and record.written_ms is not None:
        waiting_s = max(0.0, 1e-3 * (now_ms - record.written_ms))
    event_age_s = None
    if records and record.event_ms is not None:
        event_age_s = 1e-3 * (now_ms - record.event_ms)
    return LagRow(
        role=reading.role,
        group=reading.group,
        topic=reading.topic,
        partition=partition,
        committed=offsets.committed,
        end=offsets.end,
        records=records,
        waiting_s=waiting_s,
        event_age_s=event_age_s,
        normal_s=reading.normal_s,
        state=_state(records, waiting_s, reading.normal_s),
        note="; ".join(_notes(reading, offsets)),
    )


def worst(rows: Iterable[LagRow]) -> LagRow | None:
    """The row furthest beyond what is normal for it, of those whose lag is known."""
    known = [row for row in rows if row.waiting_s is not None]
    return max(known, key=lambda row: (row.waiting_s or 0.0) - row.normal_s, default=None)


def _state(records: int | None, waiting_s: float | None, normal_s: float) -> State:
    if records is None or waiting_s is None:
        return "unknown"
    return "behind" if waiting_s > normal_s else "ok"


def _notes(reading: Subscription, offsets: Offsets) -> Iterable[str]:
    committed = offsets.committed
    if committed is None and reading.group is not None:
        where = "oldest record" if reading.begins == "earliest" else "newest"
        yield f"nothing committed yet: begins at the {where}"
    elif committed is not None and committed < offsets.begin:
        yield f"{offsets.begin - committed} records were deleted before they were read"
    elif committed is not None and committed > offsets.end:
        yield f"the commit lies {committed - offsets.end} beyond the end: the topic was made anew"
    if reading.note:
        yield reading.note

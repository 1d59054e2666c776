"""Single events to array records of one partition each, within a linger; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from schemas.codec import encode

MAX_EVENTS = 1_000
"""Events in one record, at most; more gain nothing."""

_ARRAY_BYTES = 3
"""MessagePack's head of an array of up to 65,535."""


class Encoded(NamedTuple):
    """An event as bytes, with where it goes."""

    partition: int
    key: bytes
    data: bytes


class Record(NamedTuple):
    """One record of `events`: an event, or an array of them."""

    partition: int
    key: bytes
    """That of its first event."""
    value: bytes
    events: int
    events_bytes: int
    """Sum over its events."""


@dataclass(slots=True)
class _Group:
    key: bytes
    due_ms: int
    parts: list[bytes] = field(default_factory=list)
    size_bytes: int = 0


class Grouping:
    """Gathers events of a partition that come soon after one another; the order stays.

    A partition sends one record every `linger_ms`, or sooner when one is full: an event that comes
    after a pause leaves at once, what follows it is gathered for the rest of the linger. So none
    waits longer than `linger_ms`, and a lone click does not wait. With 0 each event leaves alone.

    A record holds at most 1,000 events and `max_record_bytes`.
    """

    def __init__(self, linger_ms: int, max_record_bytes: int, now_ms: Callable[[], int]) -> None:
        self._linger_ms = linger_ms
        self._max_bytes = max_record_bytes
        self._now_ms = now_ms
        self._groups: dict[int, _Group] = {}
        self._left_ms: dict[int, int] = {}  # by partition, when its last record left
        self.next_due_ms: int | None = None
        """When `take_due` has something to give; None while nothing waits."""

    def add(self, event: Encoded) -> list[Record]:
        """Take an event of at most `max_record_bytes`; returns what has to leave now, in order."""
        records = self._put(event)
        group = self._groups.get(event.partition)
        if group is not None and group.due_ms <= self._now_ms():
            records.append(self._leave(event.partition))
        return records

    def add_many(self, events: Iterable[Encoded]) -> list[Record]:
        """Take events that leave now, together, after those of their partitions that wait."""
        records = []
        partitions: dict[int, None] = {}  # in the order of their first event
        for event in events:
            records += self._put(event)
            partitions[event.partition] = None
        return records + [self._leave(one) for one in partitions if one in self._groups]

    def take_due(self) -> list[Record]:
        """What has waited for its time."""
        now_ms = self._now_ms()
        due = [partition for partition, group in self._groups.items() if group.due_ms <= now_ms]
        return [self._leave(partition) for partition in due]

    def take_all(self) -> list[Record]:
        """What waits, due or not."""
        return [self._leave(partition) for partition in list(self._groups)]

    def _put(self, event: Encoded) -> list[Record]:
        """Into its partition's group; returns the groups that are full by it."""
        full = []
        group = self._groups.get(event.partition)
        if group is not None and (
            _ARRAY_BYTES + group.size_bytes + len(event.data) > self._max_bytes
        ):
            full.append(self._leave(event.partition))
            group = None
        if group is None:
            group = self._open(event)
        group.parts.append(event.data)
        group.size_bytes += len(event.data)
        if len(group.parts) == MAX_EVENTS:
            full.append(self._leave(event.partition))
        return full

    def _open(self, event: Encoded) -> _Group:
        now_ms = self._now_ms()
        left_ms = self._left_ms.get(event.partition, now_ms - self._linger_ms)
        group = _Group(event.key, max(now_ms, left_ms + self._linger_ms))
        self._groups[event.partition] = group
        if self.next_due_ms is None or group.due_ms < self.next_due_ms:
            self.next_due_ms = group.due_ms
        return group

    def _leave(self, partition: int) -> Record:
        group = self._groups.pop(partition)
        self._left_ms[partition] = self._now_ms()
        self.next_due_ms = min((other.due_ms for other in self._groups.values()), default=None)
        one = len(group.parts) == 1
        value = group.parts[0] if one else encode([msgspec.Raw(part) for part in group.parts])
        return Record(partition, group.key, value, len(group.parts), group.size_bytes)

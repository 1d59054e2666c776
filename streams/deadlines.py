"""Entries by the second in which their time is up; pure."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Entry = TypeVar("Entry")

BUCKET_MS = 1_000


class Deadlines(Generic[Entry]):
    """Buckets of one second. A bucket is due once its last millisecond is past."""

    def __init__(self) -> None:
        self._entries: dict[int, deque[Entry]] = {}
        self._order: list[int] = []  # heap of the keys of _entries

    def put(self, bucket: int, entry: Entry) -> None:
        """Keep the entry until `bucket`, a time in ms divided by `BUCKET_MS`."""
        entries = self._entries.get(bucket)
        if entries is None:
            entries = self._entries[bucket] = deque()
            heapq.heappush(self._order, bucket)
        entries.append(entry)

    def take_due(self, time_ms: int) -> Iterator[Entry]:
        """Remove and give the entries of every bucket that ends at or before `time_ms`."""
        while self._order and (self._order[0] + 1) * BUCKET_MS <= time_ms:
            yield from self._entries.pop(heapq.heappop(self._order))

    def take_oldest(self) -> Entry:
        """Remove and give an entry of the first bucket. Raises IndexError when there is none."""
        bucket = self._order[0]
        entries = self._entries[bucket]
        oldest = entries.popleft()
        if not entries:
            del self._entries[heapq.heappop(self._order)]
        return oldest

"""A Redis in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis


class FakeRedis(redis.Redis):
    """What the writer uses of Redis: a pipeline of SETs and DELs, which fails while `down`."""

    def __init__(self) -> None:
        self.down = False
        self.values: dict[str, tuple[bytes, int]] = {}
        self._queued: list[tuple[str, bytes | None, int]] = []

    @contextmanager
    def pipeline(self, transaction: bool) -> Iterator[FakeRedis]:  # type: ignore[override]
        self._queued = []
        yield self

    def set(self, name: str, value: bytes, ex: int) -> None:  # type: ignore[override]
        self._queued.append((name, value, ex))

    def delete(self, name: str) -> None:  # type: ignore[override]
        self._queued.append((name, None, 0))

    def execute(self) -> None:
        if self.down:
            msg = "connection refused"
            raise redis.ConnectionError(msg)
        for name, value, ex in self._queued:
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = (value, ex)

    def __del__(self) -> None:
        """Nothing to close."""

"""Writes to Redis what is taken where a context has some value, for recall that is told it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from schemas.codec import encode
from schemas.settings import Settings
from schemas.vectors import ContextRecord, context_key
from towers.redis_writer import RedisWriter

_AT_ONCE = 4
"""A millisecond's work: a click may wait for it."""
_PATIENCE_MS = 25
"""A list of many's choices changes little by one of them: few are written at a time."""

Records = list[tuple[str, ContextRecord]]


class ContextWriter:
    """A few values at a time, those that changed first. While Redis fails they wait here."""

    def __init__(self, settings: Settings, redis: RedisWriter, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._redis = redis
        self._now_ms = now_ms
        self._owed: dict[str, None] = {}
        self._due_ms = 0

    def owe(self, values: Iterable[str]) -> None:
        """The records of these values are stale."""
        self._owed.update(dict.fromkeys(values))

    def write(self, make: Callable[[list[str], int], Records], hurry: bool = False) -> bool:
        """Write the records, made by `make`, of the next values once it is time.

        With `hurry` it is time now. Returns whether there was something, and Redis took it.
        """
        now_ms = self._now_ms()
        if not self._owed or not self._redis.ready or (now_ms < self._due_ms and not hurry):
            return False
        self._due_ms = now_ms + _PATIENCE_MS
        values = list(islice(self._owed, _AT_ONCE))
        namespace, epoch = self._settings.namespace, self._settings.towers.epoch
        records = {
            context_key(namespace, epoch, value): encode(record)
            for value, record in make(values, now_ms)
        }
        if not self._redis.write(records):
            return False
        for value in values:
            del self._owed[value]
        return True

"""Writes user records to Redis, and remembers whom it still owes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from schemas.codec import encode
from schemas.settings import Settings
from schemas.vectors import UserRecord, user_key
from towers.redis_writer import RedisWriter

_AT_ONCE = 128
_PATIENT_AT_ONCE = 32
_PATIENCE_MS = 50
_CROWD = 512

Records = list[tuple[str, UserRecord]]


class UserWriter:
    """While Redis fails, users wait here and their records are made anew when it answers again, so
    that none is lost and none is stale. Whom `make` knows no more, has no record any more.

    Users who acted are written at once. Those who only passed items over are many: they wait until
    some are together, and few are written at a time, so that nobody who acts waits for them.
    """

    def __init__(self, settings: Settings, redis: RedisWriter, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._redis = redis
        self._now_ms = now_ms
        self._owed: dict[str, None] = {}
        self._patient: dict[str, None] = {}
        self._patient_due_ms = 0

    @property
    def owed(self) -> list[str]:
        """Users whose record in Redis is stale, in the order in which they are written."""
        return [*self._owed, *self._patient]

    def owe(self, user_ids: Iterable[str]) -> None:
        """These users acted: their records are stale."""
        for user_id in user_ids:
            self._owed[user_id] = None
            self._patient.pop(user_id, None)

    def owe_later(self, user_ids: Iterable[str]) -> None:
        """These users' records are stale, which may wait for those who act."""
        if not self._patient:
            self._patient_due_ms = self._now_ms() + _PATIENCE_MS
        self._patient.update((one, None) for one in user_ids if one not in self._owed)

    def hurry(self) -> None:
        """Nobody may wait any longer."""
        self.owe(list(self._patient))

    @property
    def urgent(self) -> bool:
        """Someone who acted is owed a record, and it is time to try."""
        return bool(self._owed) and self._redis.ready

    @property
    def due(self) -> bool:
        """Those with patience have waited long enough, and it is time to try."""
        many = len(self._patient) >= _PATIENT_AT_ONCE
        late = bool(self._patient) and self._now_ms() >= self._patient_due_ms
        return (many or late) and self._redis.ready

    @property
    def crowded(self) -> bool:
        """So many wait with patience that no more should come."""
        return len(self._patient) >= _CROWD

    def write(self, make: Callable[[list[str], int], Records]) -> Records:
        """Write the records, made by `make`, of the next who acted; returns what Redis took."""
        return self._write(list(islice(self._owed, _AT_ONCE)), make) if self.urgent else []

    def write_patient(self, make: Callable[[list[str], int], Records]) -> Records:
        """The same of some who did not act, once it is due."""
        if not self.due:
            return []
        self._patient_due_ms = self._now_ms() + _PATIENCE_MS
        return self._write(list(islice(self._patient, _PATIENT_AT_ONCE)), make)

    def _write(self, user_ids: list[str], make: Callable[[list[str], int], Records]) -> Records:
        records = make(user_ids, self._now_ms())
        namespace, epoch = self._settings.namespace, self._settings.towers.epoch
        encoded = {user_id: encode(record) for user_id, record in records}
        if not self._redis.write(
            {user_key(namespace, epoch, one): encoded.get(one) for one in user_ids}
        ):
            return []
        for user_id in user_ids:
            self._owed.pop(user_id, None)
            self._patient.pop(user_id, None)
        return records

"""Writes user records to Redis, and remembers whom it still owes one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import islice

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas.codec import encode
from schemas.settings import RedisSettings, Settings
from schemas.vectors import UserRecord, user_key

log = logging.getLogger(__name__)

_TIMEOUT_S = 1.0
_FIRST_WAIT_MS = 100
_LONGEST_WAIT_MS = 5_000
_AT_ONCE = 128
_PATIENT_AT_ONCE = 32
_PATIENCE_MS = 50
_CROWD = 512

Records = list[tuple[str, UserRecord]]


def connect_redis(settings: RedisSettings) -> redis.Redis:
    """A client that connects when it is used, and gives up soon: the writer tries again."""
    return redis.Redis.from_url(
        settings.url.get_secret_value(),
        **settings.client_options(),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


class UserWriter:
    """One pipeline per call. While Redis fails, users wait here and their records are made anew
    when it answers again, so that none is lost and none is stale.

    Users who acted are written at once. Those who only passed items over are many: they wait until
    some are together, and few are written at a time, so that nobody who acts waits for them.
    """

    def __init__(self, settings: Settings, client: redis.Redis, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._client = client
        self._now_ms = now_ms
        self._owed: dict[str, None] = {}
        self._patient: dict[str, None] = {}
        self._patient_due_ms = 0
        self._wait_ms = 0
        self._not_before_ms = 0
        self.errors = 0
        """Writes that failed."""

    @property
    def owed(self) -> list[str]:
        """Users whose record in Redis is stale, in the order in which they are written."""
        return [*self._owed, *self._patient]

    @property
    def failing(self) -> bool:
        """True from a failed write until one succeeds."""
        return self._wait_ms > 0

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
        return bool(self._owed) and self._may_try()

    @property
    def due(self) -> bool:
        """Those with patience have waited long enough, and it is time to try."""
        many = len(self._patient) >= _PATIENT_AT_ONCE
        late = bool(self._patient) and self._now_ms() >= self._patient_due_ms
        return (many or late) and self._may_try()

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
        towers, ttl_s = self._settings.towers, self._settings.redis.user_ttl_s
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for user_id, record in records:
                    key = user_key(self._settings.namespace, towers.epoch, user_id)
                    pipeline.set(key, encode(record), ex=ttl_s)
                pipeline.execute()
        except redis.RedisError as error:
            self._note_failure(error)
            return []
        if self._wait_ms:
            self._wait_ms = self._not_before_ms = 0
            log.info("redis=back users_waiting=%d", len(self.owed))
        for user_id in user_ids:
            self._owed.pop(user_id, None)
            self._patient.pop(user_id, None)
        return records

    def _may_try(self) -> bool:
        return self._now_ms() >= self._not_before_ms

    def _note_failure(self, error: redis.RedisError) -> None:
        self.errors += 1
        if not self._wait_ms:  # once an outage, not once a write
            log.warning("redis=failing error=%r action=retrying", str(error))
        self._wait_ms = min(max(2 * self._wait_ms, _FIRST_WAIT_MS), _LONGEST_WAIT_MS)
        self._not_before_ms = self._now_ms() + self._wait_ms

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

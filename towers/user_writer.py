"""Writes user records to Redis, and remembers whom it still owes one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

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
_AT_ONCE = 512

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
    """

    def __init__(self, settings: Settings, client: redis.Redis, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._client = client
        self._now_ms = now_ms
        self._owed: dict[str, None] = {}
        self._wait_ms = 0
        self._not_before_ms = 0
        self.errors = 0
        """Writes that failed."""

    @property
    def owed(self) -> list[str]:
        """Users whose record in Redis is stale, longest first."""
        return list(self._owed)

    @property
    def failing(self) -> bool:
        """True from a failed write until one succeeds."""
        return self._wait_ms > 0

    def owe(self, user_ids: Iterable[str]) -> None:
        """These users' records are stale."""
        self._owed.update(dict.fromkeys(user_ids))

    @property
    def ready(self) -> bool:
        """Someone is owed a record, and it is time to try."""
        return bool(self._owed) and self._now_ms() >= self._not_before_ms

    def write(self, make: Callable[[list[str], int], Records]) -> Records:
        """Write the records, made by `make`, of up to 512 users; returns what Redis has taken."""
        if not self.ready:
            return []
        user_ids = [user_id for user_id, _ in zip(self._owed, range(_AT_ONCE), strict=False)]
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
            log.info("redis=back users_waiting=%d", len(self._owed))
        for user_id in user_ids:
            del self._owed[user_id]
        return records

    def _note_failure(self, error: redis.RedisError) -> None:
        self.errors += 1
        if not self._wait_ms:  # once an outage, not once a write
            log.warning("redis=failing error=%r action=retrying", str(error))
        self._wait_ms = min(max(2 * self._wait_ms, _FIRST_WAIT_MS), _LONGEST_WAIT_MS)
        self._not_before_ms = self._now_ms() + self._wait_ms

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

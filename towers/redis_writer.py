"""Writes values to Redis, and knows when to try again while it fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas.settings import RedisSettings

log = logging.getLogger(__name__)

_TIMEOUT_S = 1.0
_FIRST_WAIT_MS = 100
_LONGEST_WAIT_MS = 5_000


def connect_redis(settings: RedisSettings) -> redis.Redis:
    """A client that connects when it is used, and gives up soon: the writer tries again."""
    return redis.Redis.from_url(
        settings.url.get_secret_value(),
        **settings.client_options(),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


class RedisWriter:
    """One pipeline per call. After a failure it waits, ever longer, before it may try again."""

    def __init__(
        self, settings: RedisSettings, client: redis.Redis, now_ms: Callable[[], int]
    ) -> None:
        self._ttl_s = settings.user_ttl_s
        self._client = client
        self._now_ms = now_ms
        self._wait_ms = 0
        self._not_before_ms = 0
        self.errors = 0
        """Writes that failed."""

    @property
    def failing(self) -> bool:
        """True from a failed write until one succeeds."""
        return self._wait_ms > 0

    @property
    def ready(self) -> bool:
        """It may try."""
        return self._now_ms() >= self._not_before_ms

    def write(self, values: Mapping[str, bytes | None]) -> bool:
        """Set these keys, or delete those of None; whether Redis took them.

        What it did not take is the caller's to keep.
        """
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    if value is None:
                        pipeline.delete(key)
                    else:
                        pipeline.set(key, value, ex=self._ttl_s)
                pipeline.execute()
        except redis.RedisError as error:
            self._note_failure(error)
            return False
        if self._wait_ms:
            self._wait_ms = self._not_before_ms = 0
            log.info("redis=back")
        return True

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _note_failure(self, error: redis.RedisError) -> None:
        self.errors += 1
        if not self._wait_ms:  # once an outage, not once a write
            log.warning("redis=failing error=%r action=retrying", str(error))
        self._wait_ms = min(max(2 * self._wait_ms, _FIRST_WAIT_MS), _LONGEST_WAIT_MS)
        self._not_before_ms = self._now_ms() + self._wait_ms

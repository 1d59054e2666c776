"""Users' records, as recall reads them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from index_service.backend import unit_vector
from schemas.codec import Decoder
from schemas.errors import DecodeError
from schemas.settings import Settings
from schemas.vectors import UserRecord, user_key

UNKNOWN = "unknown user"
UNREACHABLE = "user vectors unreachable"
UNUSABLE = "user record unusable"

_TIMEOUT_S = 0.25
"""Redis answers within 1 ms; a request has some 1,000 ms in all."""
_PAUSE_S = 1.0
"""After a failure Redis is left alone for so long, or each request would wait for it again."""

_log = logging.getLogger(__name__)
_decoder: Decoder[UserRecord] = Decoder(UserRecord)


class User(NamedTuple):
    """What is known of a user."""

    record: UserRecord | None
    reason: str
    """Why there is no record; empty when there is one."""


def decode_user(data: bytes | None, epoch: int, dim: int) -> User:
    """The record in these bytes. One of another epoch, or with numbers that are none, is no use."""
    if data is None:
        return User(None, UNKNOWN)
    try:
        record = _decoder.decode(data)
        if record.epoch != epoch:
            return User(None, UNKNOWN)
        unit_vector(record.vector, dim)
    except DecodeError as error:
        _log.warning("event=user_record_unusable error=%r", str(error))
        return User(None, UNUSABLE)
    numbers = (record.scale, record.trend_clock, *record.weights.values())
    return User(record, "") if all(map(math.isfinite, numbers)) else User(None, UNUSABLE)


class UserReader:
    """Reads records from Redis, many in one round trip. Never raises for Redis' sake."""

    def __init__(self, settings: Settings, monotonic_s: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic_s = monotonic_s
        self._not_before_s = -math.inf
        self._redis = Redis.from_url(
            settings.redis.url.get_secret_value(),
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),  # one: the connection may be an old one that was closed
        )

    async def read(self, user_ids: Iterable[str]) -> dict[str, User]:
        """What is known of each of these users."""
        ids = list(dict.fromkeys(user_ids))
        if not ids:
            return {}
        if self._monotonic_s() < self._not_before_s:
            return {user_id: User(None, UNREACHABLE) for user_id in ids}
        epoch, dim = self._settings.towers.epoch, self._settings.towers.dim
        keys = [user_key(self._settings.namespace, epoch, user_id) for user_id in ids]
        try:
            found = await self._redis.mget(keys)
        except (RedisError, OSError) as error:
            if self._not_before_s == -math.inf:  # once an outage
                _log.warning("event=redis_unreachable error=%r", str(error))
            self._not_before_s = self._monotonic_s() + _PAUSE_S
            return {user_id: User(None, UNREACHABLE) for user_id in ids}
        if self._not_before_s != -math.inf:
            self._not_before_s = -math.inf
            _log.info("event=redis_reachable")
        records = [data if isinstance(data, bytes) else None for data in found]
        return {
            user_id: decode_user(data, epoch, dim)
            for user_id, data in zip(ids, records, strict=True)
        }

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

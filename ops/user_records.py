"""Users' records as recall sees them in Redis."""

from __future__ import annotations

import time

import redis

from ops.role_status import address, connect
from schemas.codec import Decoder
from schemas.errors import RedisUnavailable
from schemas.settings import Settings
from schemas.vectors import UserRecord, user_key

_decoder = Decoder[UserRecord](UserRecord)
_POLL_S = 0.001


def read_user(client: redis.Redis, settings: Settings, user_id: str) -> UserRecord | None:
    """The user's record of the serving epoch, or None. Raises RedisUnavailable."""
    key = user_key(settings.namespace, settings.towers.epoch, user_id)
    try:
        value = client.get(key)
    except redis.RedisError as error:
        msg = f"Redis answers at {address(settings.redis)}; it does not ({error})"
        raise RedisUnavailable(msg) from error
    return _decoder.decode(value) if isinstance(value, bytes) else None


def wait_for_refresh(
    settings: Settings, user_id: str, event_ts_ms: int, timeout_s: float
) -> float | None:
    """Milliseconds from the event to the write of a record that has it; None after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    with connect(settings.redis) as client:
        while time.monotonic() < deadline:
            record = read_user(client, settings, user_id)
            if record is not None and record.event_ts_ms >= event_ts_ms:
                return float(record.refreshed_ms - event_ts_ms)
            time.sleep(_POLL_S)
    return None

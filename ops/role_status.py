"""Roles' statuses in Redis: written by each role once a second, read by the doctor and the demo."""

from __future__ import annotations

import logging
import os
import socket
import threading

import redis

from schemas.clock import wall_ms
from schemas.codec import Decoder, encode
from schemas.errors import RedisUnavailable
from schemas.settings import RedisSettings, Settings
from schemas.status import STATUS_TTL_MS, Role, RoleProcess, RoleStatus, status_key

log = logging.getLogger(__name__)

_PERIOD_S = 1.0
_TIMEOUT_S = 2.0

_decoder = Decoder[RoleStatus](RoleStatus)


def connect(settings: RedisSettings) -> redis.Redis:
    """A client with short timeouts; it connects when first used."""
    return redis.Redis.from_url(
        settings.url.get_secret_value(),
        **settings.client_options(),
        socket_connect_timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
    )


def address(settings: RedisSettings) -> str:
    """Where Redis is, without user and password."""
    options = connect(settings).connection_pool.connection_kwargs
    return f"{options.get('host', '?')}:{options.get('port', '?')}"


def read_statuses(settings: Settings) -> list[RoleStatus]:
    """The statuses of all roles alive. Raises RedisUnavailable."""
    pattern = status_key(settings.namespace, "*", "*")
    try:
        with connect(settings.redis) as client:
            keys = sorted(client.scan_iter(match=pattern, count=1_000))
            values = client.mget(keys) if keys else []
    except redis.RedisError as error:
        where = address(settings.redis)
        msg = (
            f"Redis answers at {where}; it does not ({error}); "
            "start it (`penstock up`), or set PENSTOCK_REDIS__URL"
        )
        raise RedisUnavailable(msg) from error
    return [_decoder.decode(value) for value in values if value is not None]


class StatusWriter:
    """Writes a role's status each second until closed; a Redis that is away is tried again."""

    def __init__(
        self, settings: Settings, role: Role, process: RoleProcess, http: str = ""
    ) -> None:
        self._settings = settings
        self._role = role
        self._process = process
        self._http = http
        self._instance = f"{socket.gethostname()}:{os.getpid()}"
        self._started_ms = wall_ms()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop writing and take the status away."""
        self._closing.set()
        self._thread.join(timeout=2 * _TIMEOUT_S)

    def _run(self) -> None:
        key = status_key(self._settings.namespace, self._role, self._instance)
        failing = False
        with connect(self._settings.redis) as client:
            while not self._closing.wait(0 if not failing else _PERIOD_S):
                try:
                    client.set(key, encode(self._status()), px=STATUS_TTL_MS)
                except redis.RedisError as error:
                    if not failing:
                        log.warning("status=unwritten error=%r action=retrying", error)
                    failing = True
                    continue
                failing = False
                if self._closing.wait(_PERIOD_S):
                    break
            try:
                client.delete(key)
            except redis.RedisError as error:
                log.warning("status=undeleted error=%r expires_in_ms=%d", error, STATUS_TTL_MS)

    def _status(self) -> RoleStatus:
        report = self._process.report()
        return RoleStatus(
            role=self._role,
            instance=self._instance,
            started_ms=self._started_ms,
            reported_ms=wall_ms(),
            ready=report.ready,
            reason=report.reason,
            figures=report.figures,
            http=self._http,
        )

"""Users' records, as recall reads them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from index_service.backend import unit_vector
from index_service.figures import NodeFigures
from schemas.codec import Decoder
from schemas.contexts import MOST_VALUES, context_values
from schemas.errors import DecodeError
from schemas.recall import RecallRequest
from schemas.settings import Settings
from schemas.vectors import ANYONE, ContextRecord, UserRecord, context_key, user_key

UNKNOWN = "unknown user"
UNREACHABLE = "user vectors unreachable"
UNUSABLE = "user record unusable"

_TIMEOUT_S = 0.25
"""Redis answers within 1 ms; a request has some 1,000 ms in all."""
_PAUSE_S = 1.0
"""After a failure Redis is left alone for so long, or each request would wait for it again."""

_log = logging.getLogger(__name__)
_decoder: Decoder[UserRecord] = Decoder(UserRecord)
_contexts: Decoder[ContextRecord] = Decoder(ContextRecord)


class User(NamedTuple):
    """What is known of a user."""

    record: UserRecord | None
    """The user's own; else that of anyone, where there is one."""
    reason: str
    """Why it is not the user's own; empty when it is."""


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
    marked = (record.similar, record.together, record.pairs, *record.context.values())
    numbers = (record.scale, record.trend_clock, *record.weights.values())
    values = chain(numbers, *(marks.values() for marks in marked))
    return User(record, "") if all(map(math.isfinite, values)) else User(None, UNUSABLE)


def or_anyone(user: User, anyone: User) -> User:
    """The user, with the record of anyone in place of a missing one; the reason stays.

    Weights are the same for all, so the newer of both count: they are learned while a user rests.
    """
    if user.record is None or anyone.record is None:
        return User(user.record or anyone.record, user.reason)
    if anyone.record.step <= user.record.step:
        return user
    scale, weights = anyone.record.scale, anyone.record.weights
    return User(msgspec.structs.replace(user.record, scale=scale, weights=weights), user.reason)


def decode_context(data: bytes | None, epoch: int) -> dict[str, float]:
    """What is taken within a value of the context; nothing where that is unknown or no use."""
    if data is None:
        return {}
    try:
        record = _contexts.decode(data)
    except DecodeError as error:
        _log.warning("event=context_record_unusable error=%r", str(error))
        return {}
    usable = record.epoch == epoch and all(map(math.isfinite, record.items.values()))
    return record.items if usable else {}


def in_place(
    user: User, values: Sequence[tuple[str, str]], found: Mapping[str, dict[str, float]]
) -> User:
    """The user, where these values of the context's features hold; what is taken there, `found`.

    Of a feature that is not among them the user's last event counts.
    """
    if user.record is None or not values:
        return user
    here: dict[str, dict[str, float]] = {}
    for feature, value in values:
        if not here.get(feature):  # of several categories the first known
            here[feature] = found.get(value, {})
    context = user.record.context | here
    return User(msgspec.structs.replace(user.record, context=context), user.reason)


class UserReader:
    """Reads records from Redis, many in one round trip. Never raises for Redis' sake."""

    def __init__(
        self, settings: Settings, figures: NodeFigures, monotonic_s: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._figures = figures
        self._monotonic_s = monotonic_s
        self._not_before_s = -math.inf
        self._anyone = User(None, UNKNOWN)  # as last read: it serves while Redis is away, too
        self._redis = Redis.from_url(
            settings.redis.url.get_secret_value(),
            **settings.redis.client_options(),
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),  # one: the connection may be an old one that was closed
        )

    async def read(self, requests: Sequence[RecallRequest | None]) -> list[User | None]:
        """What is known of each request's user in its context, or of anyone in a context alone.

        None for a request that has neither, and for None.
        """
        kinds = self._settings.features.users
        places = [
            list(islice(context_values(each.context, kinds), MOST_VALUES)) if each else []
            for each in requests
        ]
        ids = [each.user_id for each in requests if each and each.user_id is not None]
        values = [value for place in places for _, value in place]
        if not ids and not values:
            return [None] * len(requests)
        users, found = await self._look_up(list(dict.fromkeys(ids)), list(dict.fromkeys(values)))
        told: list[User | None] = []
        for request, place in zip(requests, places, strict=True):
            if request is None or (request.user_id is None and not place):
                told.append(None)
                continue
            user = self._anyone if request.user_id is None else users[request.user_id]
            told.append(in_place(user, place, found))
        return told

    async def _look_up(
        self, ids: list[str], values: list[str]
    ) -> tuple[dict[str, User], dict[str, dict[str, float]]]:
        """What is known of each of these users, and taken within each of these values."""
        if self._monotonic_s() < self._not_before_s:
            return self._unreachable(ids), {}
        namespace, epoch = self._settings.namespace, self._settings.towers.epoch
        dim = self._settings.towers.dim
        keys = [user_key(namespace, epoch, one) for one in [*ids, ANYONE]]
        keys += [context_key(namespace, epoch, value) for value in values]
        try:
            found = await self._redis.mget(keys)
        except (RedisError, OSError) as error:
            self._figures.counts["redis_errors"] += 1
            if self._not_before_s == -math.inf:  # once an outage
                _log.warning("event=redis_unreachable error=%r", str(error))
            self._not_before_s = self._monotonic_s() + _PAUSE_S
            return self._unreachable(ids), {}
        if self._not_before_s != -math.inf:
            self._not_before_s = -math.inf
            _log.info("event=redis_reachable")
        records = [data if isinstance(data, bytes) else None for data in found]
        own, (anyones, *within) = records[: len(ids)], records[len(ids) :]
        anyone = decode_user(anyones, epoch, dim)
        if anyone.record is not None:
            self._anyone = anyone
        users = {
            user_id: or_anyone(decode_user(data, epoch, dim), self._anyone)
            for user_id, data in zip(ids, own, strict=True)
        }
        contexts = {
            value: decode_context(data, epoch) for value, data in zip(values, within, strict=True)
        }
        known = sum(map(bool, contexts.values()))
        self._figures.counts["contexts_known"] += known
        self._figures.counts["contexts_unknown"] += len(contexts) - known
        return users, contexts

    def _unreachable(self, ids: list[str]) -> dict[str, User]:
        return {user_id: or_anyone(User(None, UNREACHABLE), self._anyone) for user_id in ids}

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

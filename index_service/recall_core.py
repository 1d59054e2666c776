"""A recall request to its reply: pure, given the index and what is known of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from index_service.backend import unit, unit_vector
from index_service.node_index import NodeIndex
from index_service.query import Query
from index_service.request_rules import broken_rule
from index_service.users import UNKNOWN, User
from schemas.recall import ErrorDetail, RecalledItem, RecallReply, RecallRequest
from schemas.score import CONTEXT, PAIRS, SIMILAR, TOGETHER, first_weights, session_marks
from schemas.settings import Settings
from schemas.vectors import Float32Array, UserRecord

NO_KNOWN_ITEM = "none of item_ids is known"
NO_DIRECTION = "the vectors of item_ids cancel each other out"


class Found(NamedTuple):
    """What the shards gave for one query."""

    items: list[RecalledItem]
    shards_answered: int
    shards_asked: int
    step: int
    """The newest trainer step among the vectors searched."""


def refusal(detail: ErrorDetail) -> RecallReply:
    """The reply to a request that breaks a rule."""
    return RecallReply("error", reason=detail.rule, error=detail)


class Plan(NamedTuple):
    """What to search for, on behalf of a request."""

    query: Query
    reason: str
    """Why it is less than was asked for, or empty."""


class RecallCore:
    """Validates a request, turns it into one query, and says how the answer came about."""

    def __init__(self, settings: Settings, index: NodeIndex) -> None:
        self._settings = settings
        self.index = index

    def answer(self, request: RecallRequest, user: User | None) -> RecallReply:
        """The reply from this node's shards, as if there were no others."""
        ready = self.index.ready
        fields = self.index.fields if request.filter and len(self.index) else None
        vectors = self.index.vectors_of(request.item_ids or (), ready)
        plan = self.plan(request, user, vectors, fields)
        if isinstance(plan, RecallReply):
            return plan
        (items,) = self.index.search_many([plan.query], ready)
        return self.reply(plan.reason, Found(items, len(ready), len(ready), self.index.items.step))

    def plan(
        self,
        request: RecallRequest,
        user: User | None,
        vectors: Mapping[str, Float32Array],
        known_fields: Sequence[str] | None,
    ) -> Plan | RecallReply:
        """The query, or why there is none.

        `user` is what is known of `user_id` in the request's context; without a user id of anyone
        in it, or None where no context is told: see `UserReader.read`. `vectors` (dim,) are
        those of the request's items that are known; for `known_fields` see `broken_rule`. A user
        or items of whom nothing is known get trending items and status degraded.
        """
        broken = broken_rule(request, self._settings, known_fields)
        if broken is not None:
            return refusal(broken)
        exclude = frozenset(request.exclude)
        if request.user_id is not None:
            return self._query_of_user(request, user or User(None, UNKNOWN), exclude)
        anyone = user.record if user else None
        if request.vector is not None:
            return Plan(self._query_by(request, unit(request.vector), exclude, anyone), "")
        item_ids = request.item_ids or []
        known = [vectors[item_id] for item_id in item_ids if item_id in vectors]
        mean = self._mean(known)
        reason = "" if mean is not None else NO_DIRECTION if known else NO_KNOWN_ITEM
        exclude |= frozenset(item_ids)
        return Plan(self._query_by(request, mean, exclude, anyone), reason)

    def reply(self, reason: str, found: Found) -> RecallReply:
        """The reply that says all this. What shards are missing counts for more than `reason`."""
        missing = found.shards_asked - found.shards_answered
        if missing:
            reason = f"{missing} of {found.shards_asked} shards did not answer"
        return RecallReply(
            status="partial" if missing else "degraded" if reason else "ok",
            items=found.items,
            reason=reason,
            shards_answered=found.shards_answered,
            shards_asked=found.shards_asked,
            epoch=self._settings.towers.epoch,
            step=found.step,
        )

    def _query_of_user(self, request: RecallRequest, user: User, exclude: frozenset[str]) -> Plan:
        record = user.record
        if record is None:
            return Plan(self._query_by(request, None, exclude, None), user.reason)
        query = Query(
            vector=unit_vector(record.vector, self._settings.towers.dim),
            k=request.k,
            scale=record.scale,
            weights=record.weights,
            # A record may be older than the counts; decayed to its clock, what trended then and
            # what trends now would weigh the same.
            trend_clock=max(record.trend_clock, self.index.items.trend_clock),
            marks=session_marks(record.latest)
            | {SIMILAR: record.similar, TOGETHER: record.together, PAIRS: record.pairs}
            | _context_marks(record),
            conditions=request.filter,
            exclude=exclude.union(record.seen) if request.exclude_seen else exclude,
        )
        return Plan(query, user.reason)

    def _query_by(
        self,
        request: RecallRequest,
        vector: Float32Array | None,
        exclude: frozenset[str],
        anyone: UserRecord | None,
    ) -> Query:
        """A query without a user's record: the settings' scale and weights.

        In a context those of the record of anyone in it: the settings know none of a context.
        """
        clock, marks = self.index.items.trend_clock, {}
        if anyone is not None:
            scale, weights, marks = anyone.scale, anyone.weights, _context_marks(anyone)
            clock = max(clock, anyone.trend_clock)
        else:
            towers = self._settings.towers
            scale, weights = 1 / towers.tau, first_weights(towers)
        if vector is None and not any(weights.values()):
            weights = dict.fromkeys([*weights][:1], 1.0)  # what is taken most
        return Query(
            vector=vector,
            k=request.k,
            scale=scale,
            weights=weights,
            trend_clock=clock,
            marks=marks,
            conditions=request.filter,
            exclude=exclude,
        )

    def _mean(self, vectors: list[Float32Array]) -> Float32Array | None:
        """Recency-weighted mean (dim,) at length 1, newest first; None without a direction."""
        if not vectors:
            return None
        weights = self._settings.towers.history_decay ** np.arange(len(vectors))
        mean = weights @ np.stack(vectors)  # (dim,)
        # Opposite vectors leave rounding errors, whose direction means nothing.
        return unit(mean) if np.linalg.norm(mean) > 1e-6 * weights.sum() else None


def _context_marks(record: UserRecord) -> dict[str, dict[str, float]]:
    return {CONTEXT + name: items for name, items in record.context.items()}

"""A recall request to its reply: pure, given the index and what is known of the user."""

from __future__ import annotations

import numpy as np

from index_service.backend import unit, unit_vector
from index_service.node_index import NodeIndex
from index_service.query import Query
from index_service.request_rules import broken_rule
from index_service.users import UNKNOWN, User
from schemas.recall import ErrorDetail, RecallReply, RecallRequest
from schemas.score import CONTEXT, SIMILAR, TOGETHER, first_weights, session_marks
from schemas.settings import Settings
from schemas.vectors import Float32Array

NO_KNOWN_ITEM = "none of item_ids is known"
NO_DIRECTION = "the vectors of item_ids cancel each other out"


def refusal(detail: ErrorDetail) -> RecallReply:
    """The reply to a request that breaks a rule."""
    return RecallReply("error", reason=detail.rule, error=detail)


class RecallCore:
    """Validates, turns the request into one query, and says how the answer came about."""

    def __init__(self, settings: Settings, index: NodeIndex) -> None:
        self._settings = settings
        self._index = index

    def answer(self, request: RecallRequest, user: User | None) -> RecallReply:
        """The reply; `user` is what is known of `user_id`, and not looked at without one.

        A user or items of whom nothing is known get trending items and status degraded.
        """
        known_fields = self._index.fields if request.filter and len(self._index) else None
        broken = broken_rule(request, self._settings, known_fields)
        if broken is not None:
            return refusal(broken)
        query, reason = self._query(request, user)
        return RecallReply(
            status="degraded" if reason else "ok",
            items=self._index.search(query),
            reason=reason,
            shards_answered=self._index.shards,
            shards_asked=self._index.shards,
            epoch=self._settings.towers.epoch,
            step=self._index.step,
        )

    def _query(self, request: RecallRequest, user: User | None) -> tuple[Query, str]:
        """The query, and why it is less than was asked for."""
        exclude = frozenset(request.exclude)
        if request.user_id is not None:
            return self._query_of_user(request, user or User(None, UNKNOWN), exclude)
        if request.vector is not None:
            return self._query_by(request, unit(request.vector), exclude), ""
        item_ids = request.item_ids or []
        vectors = self._index.vectors_of(item_ids)
        mean = self._mean(vectors)
        reason = "" if mean is not None else NO_DIRECTION if vectors else NO_KNOWN_ITEM
        return self._query_by(request, mean, exclude | frozenset(item_ids)), reason

    def _query_of_user(
        self, request: RecallRequest, user: User, exclude: frozenset[str]
    ) -> tuple[Query, str]:
        record = user.record
        if record is None:
            return self._query_by(request, None, exclude), user.reason
        query = Query(
            vector=unit_vector(record.vector, self._settings.towers.dim),
            k=request.k,
            scale=record.scale,
            weights=record.weights,
            # A record may be older than the counts; decayed to its clock, what trended then and
            # what trends now would weigh the same.
            trend_clock=max(record.trend_clock, self._index.trend_clock),
            marks=session_marks(record.latest)
            | {SIMILAR: record.similar, TOGETHER: record.together}
            | {CONTEXT + name: items for name, items in record.context.items()},
            conditions=request.filter,
            exclude=exclude.union(record.seen) if request.exclude_seen else exclude,
        )
        return query, user.reason

    def _query_by(
        self, request: RecallRequest, vector: Float32Array | None, exclude: frozenset[str]
    ) -> Query:
        """A query without a user's record: the settings' scale and weights."""
        towers = self._settings.towers
        weights = first_weights(towers)
        if vector is None and not any(weights.values()):
            weights = dict.fromkeys([*weights][:1], 1.0)  # what is taken most
        return Query(
            vector=vector,
            k=request.k,
            scale=1 / towers.tau,
            weights=weights,
            trend_clock=self._index.trend_clock,
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

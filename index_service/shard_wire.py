"""Queries as nodes send them to each other."""

from __future__ import annotations

from index_service.backend import unit_vector
from index_service.query import Query
from schemas.shards import ShardQuery
from schemas.vectors import pack_vector


def to_wire(query: Query) -> ShardQuery:
    """The query as a message."""
    return ShardQuery(
        k=query.k,
        scale=query.scale,
        trend_clock=query.trend_clock,
        vector=None if query.vector is None else pack_vector(query.vector),
        weights=dict(query.weights),
        marks={name: dict(marks) for name, marks in query.marks.items()},
        filter=dict(query.conditions),
        exclude=sorted(query.exclude),
    )


def from_wire(message: ShardQuery, dim: int) -> Query:
    """The query in a message. Raises DecodeError for a vector of another dimension."""
    return Query(
        vector=None if message.vector is None else unit_vector(message.vector, dim),
        k=message.k,
        scale=message.scale,
        weights=message.weights,
        trend_clock=message.trend_clock,
        marks=message.marks,
        conditions=message.filter,
        exclude=frozenset(message.exclude),
    )

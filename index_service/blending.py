"""From candidates to answers: all channels, ranked by the one blended score."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import numpy as np

from index_service.admission import Admission
from index_service.item_table import ItemTable
from index_service.nearest import Plan, with_unwritten
from index_service.query import Query
from index_service.ranking import top
from index_service.slots import IntArray
from index_service.trend import Float64Array
from index_service.trend_pools import TrendPools
from schemas.recall import Channel, RecalledItem
from schemas.score import PAIRS, RECENT, SIMILAR, TAKEN, TOGETHER, blended
from schemas.vectors import Float32Array

_CHANNELS: tuple[Channel, ...] = ("recent", "nearest", "similar", "trending")
"""An item comes by the first of these that proposes it."""
_RECENT, _NEAREST, _SIMILAR, _TRENDING = range(len(_CHANNELS))


class _Proposed(NamedTuple):
    """What one query's answer is chosen from: an item is proposed by one channel or several.

    First the nearest, then the trending, then those with each of the query's marks in turn.
    """

    query: Query
    slots: IntArray
    """(proposals,)"""
    cosines: Float32Array
    """(proposals,): 0 for a query without a vector."""
    marks: Float64Array
    """(proposals,): what the item has of the mark that proposes it; 0 for the first two kinds."""
    lengths: list[int]
    """How many are of each kind."""
    kept: IntArray
    """Places of the proposals that may be returned."""


def rank(
    plans: Sequence[Plan],
    found: Sequence[IntArray],
    items: ItemTable,
    pools: TrendPools,
    share: float,
) -> list[list[RecalledItem] | None]:
    """The answer to each plan's query; None where the backend, which gave `found`, gave too few.

    Everything is looked up as it is now; the lock is held. `share`: trending items to propose, of
    k.
    """
    answers: list[list[RecalledItem] | None] = [None] * len(plans)
    # Weights are learned for all users at once, so queries that come together mostly have the
    # same; what they propose is scored together: a numpy call costs as much as a hundred items.
    alike: dict[tuple[object, ...], list[tuple[int, _Proposed]]] = defaultdict(list)
    for at, (plan, near) in enumerate(zip(plans, found, strict=True)):
        proposed = _proposed(plan, near, items, pools, share)
        if proposed is not None:
            query = plan.query
            key = (query.scale, query.trend_clock, frozenset(query.weights.items()))
            alike[key].append((at, proposed))
    for members in alike.values():
        ranked = _ranked(items, [proposed for _, proposed in members])
        for (at, _), best in zip(members, ranked, strict=True):
            answers[at] = best
    return answers


def _proposed(
    plan: Plan, found: IntArray, items: ItemTable, pools: TrendPools, share: float
) -> _Proposed | None:
    query, admitted = plan.query, plan.admitted
    if items.version != admitted.version:
        admitted = Admission(items, query)
    near = with_unwritten(plan, found, admitted)
    # A share of k, and k of them without a vector.
    trending = pools.best(
        query, admitted, math.ceil(query.k * (1.0 if query.vector is None else share))
    )
    marked, marks = _marked(items, query)
    parts = [near, trending, *marked]
    slots = np.concatenate(parts)
    cosines = _cosines(items, slots, query)
    met = admitted.admits(slots)
    nearest = np.flatnonzero(met[: len(near)])
    if plan.fetched and len(nearest) < plan.wanted:
        return None
    nearest = nearest[top(cosines[nearest], plan.wanted)]
    return _Proposed(
        query=query,
        slots=slots,
        cosines=cosines,
        marks=np.concatenate([np.zeros(len(near) + len(trending)), marks]),
        lengths=[*map(len, parts)],
        kept=np.concatenate([nearest, len(near) + np.flatnonzero(met[len(near) :])]),
    )


def _marked(items: ItemTable, query: Query) -> tuple[list[IntArray], Float64Array]:
    """For each of the query's marks the slots that have it; then what all of these have."""
    by_name = query.marks.values()
    places = items.slots.places_of([*chain.from_iterable(by_name)])
    each = chain.from_iterable(marks.values() for marks in by_name)
    values = np.fromiter(each, np.float64, len(places))
    known, ends = np.flatnonzero(places >= 0), [*accumulate(map(len, by_name))]
    if len(known) < len(places):
        places, values, ends = places[known], values[known], np.searchsorted(known, ends).tolist()
    return [places[start:end] for start, end in pairwise([0, *ends])], values


def _cosines(items: ItemTable, slots: IntArray, query: Query) -> Float32Array:
    """(slots,); each the same whatever stands beside it, which a matrix product does not give."""
    if query.vector is None:
        return np.zeros(len(slots), dtype=np.float32)
    found: Float32Array = np.einsum(
        "nd,d->n", items.slots.vectors.take(slots, axis=0), query.vector
    )
    return found


def _ranked(items: ItemTable, queries: Sequence[_Proposed]) -> list[list[RecalledItem]]:
    """The best of what each query proposes; they have the same scale, weights and clock."""
    first, used = queries[0].query, max(items.slots.used, 1)
    starts = used * np.arange(len(queries) + 1)  # a query's slots, counted on from its start
    before = [0, *accumulate(len(each.slots) for each in queries)]
    kept = np.concatenate([at + each.kept for at, each in zip(before, queries, strict=False)])
    keys = np.concatenate([at + each.slots for at, each in zip(starts, queries, strict=False)])
    cosines, marks = (
        np.concatenate(parts)[kept]
        for parts in ([each.cosines for each in queries], [each.marks for each in queries])
    )
    names = [*chain.from_iterable((None, "", *each.query.marks) for each in queries)]
    lengths = [*chain.from_iterable(each.lengths for each in queries)]
    kinds = np.repeat(np.arange(len(names)), lengths)[kept]
    marks *= np.array([first.weights.get(name or "", 0.0) for name in names])[kinds]

    # Each query's items once, by their first channel, with all their marks.
    channels = np.array([*map(_channel_of, names)])[kinds]
    keys = keys[kept] * len(_CHANNELS) + channels
    order = np.argsort(keys)
    keys, channels = np.divmod(keys[order], len(_CHANNELS))
    own = np.flatnonzero(np.diff(keys, prepend=-1))
    if not len(own):
        return [[] for _ in queries]
    marks = np.add.reduceat(marks[order], own)
    keys, channels, cosines = keys[own], channels[own], cosines[order[own]]
    slots = keys % used
    biases = items.trend.biases(first.weights, slots, first.trend_clock)
    scores = blended(cosines, first.scale, first.weights, biases, {}) + marks
    bounds = np.searchsorted(keys, starts).tolist()
    return [
        _best(items, each.query.k, slots[start:end], scores[start:end], channels[start:end])
        for each, start, end in zip(queries, bounds, bounds[1:], strict=False)
    ]


def _best(
    items: ItemTable, k: int, slots: IntArray, scores: Float64Array, channels: IntArray
) -> list[RecalledItem]:
    best = top(scores, k)
    best = best[np.argsort(-scores[best])]
    ids = items.slots.ids_at(slots[best])
    names = map(_CHANNELS.__getitem__, channels[best].tolist())
    ranked = [*map(RecalledItem, ids, scores[best].tolist(), names)]
    if not np.diff(scores[best]).all():  # equal ones go by their ids
        ranked.sort(key=lambda item: (-item.score, item.item_id))
    return ranked


def _channel_of(mark: str | None) -> int:
    """The channel by which items with this mark come in; with none, the nearest."""
    if mark is None:
        return _NEAREST
    if mark in (RECENT, TAKEN):
        return _RECENT
    return _SIMILAR if mark in (SIMILAR, TOGETHER, PAIRS) else _TRENDING

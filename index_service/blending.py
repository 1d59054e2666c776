"""From candidates to answers: all channels, ranked by the one blended score."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from index_service.admission import Admission
from index_service.item_table import ItemTable
from index_service.nearest import Plan, near_slots
from index_service.query import Query
from index_service.ranking import top
from index_service.slots import IntArray
from index_service.trend import Float64Array
from index_service.trend_pools import TrendPools
from schemas.recall import Channel, RecalledItem
from schemas.score import RECENT, SIMILAR, TAKEN, TOGETHER, blended
from schemas.vectors import Float32Array

_CHANNELS: tuple[Channel, ...] = ("recent", "nearest", "similar", "trending")
"""An item comes by the first of these that proposes it."""
_RECENT, _NEAREST, _SIMILAR, _TRENDING = range(len(_CHANNELS))


class _Proposed(NamedTuple):
    """What one query's answer is chosen from."""

    query: Query
    slots: IntArray
    """(proposals,): an item is proposed by one channel or several."""
    channels: IntArray
    """(proposals,): places among `_CHANNELS`."""
    marks: dict[str, tuple[IntArray, Float64Array]]
    """By signal: slots of those that have it, distinct, and what they have."""


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
    near = near_slots(plan, found, admitted, items.slots.vectors)
    if near is None:
        return None
    # A share of k, and k of them without a vector.
    trending = pools.best(
        query, admitted, math.ceil(query.k * (1.0 if query.vector is None else share))
    )
    item_ids, values, ends = query.marked
    places = items.slots.places_of(item_ids)
    known = np.flatnonzero(places >= 0)
    known = known[admitted.admits(places[known])]
    marked, values = places[known], values[known]
    bounds = [0, *np.searchsorted(known, [*ends.values()]).tolist()]
    cuts = [slice(*each) for each in pairwise(bounds)]
    return _Proposed(
        query,
        np.concatenate([near, trending, marked]),
        np.repeat(
            [_NEAREST, _TRENDING, *map(_channel_of, ends)],
            [len(near), len(trending), *(cut.stop - cut.start for cut in cuts)],
        ),
        {name: (marked[cut], values[cut]) for name, cut in zip(ends, cuts, strict=True)},
    )


def _ranked(items: ItemTable, queries: Sequence[_Proposed]) -> list[list[RecalledItem]]:
    """The best of what each query proposes; they have the same scale, weights and clock."""
    used = max(items.slots.used, 1)
    starts = used * np.arange(len(queries) + 1)  # a query's slots, counted on from its start
    keys = np.concatenate(
        [start + each.slots for start, each in zip(starts, queries, strict=False)]
    )
    channels = np.concatenate([each.channels for each in queries])
    # Each query's items once, by their first channel.
    keys, channels = np.divmod(np.sort(keys * len(_CHANNELS) + channels), len(_CHANNELS))
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    keys, channels = keys[first], channels[first]
    owners, slots = np.divmod(keys, used)

    query = queries[0].query
    scores = blended(
        np.einsum("nd,nd->n", items.slots.vectors[slots], _vectors(items, queries)[owners]),
        query.scale,
        query.weights,
        items.trend.biases(query.weights, slots, query.trend_clock),
        _places_marked(queries, starts, keys),
    )
    bounds = np.searchsorted(keys, starts).tolist()
    return [
        _best(items, each.query.k, slots[start:end], scores[start:end], channels[start:end])
        for each, start, end in zip(queries, bounds, bounds[1:], strict=False)
    ]


def _vectors(items: ItemTable, queries: Sequence[_Proposed]) -> Float32Array:
    """(queries, dim); without a vector every cosine is 0."""
    none = np.zeros(items.slots.dim, np.float32)
    return np.stack([none if (own := each.query.vector) is None else own for each in queries])


def _places_marked(
    queries: Sequence[_Proposed], starts: IntArray, keys: IntArray
) -> dict[str, tuple[IntArray, Float64Array]]:
    """By signal: places among `keys`, which go up, and what is marked there."""
    marked = defaultdict(list)
    for start, each in zip(starts, queries, strict=False):
        for name, (slots, values) in each.marks.items():
            marked[name].append((start + slots, values))
    places = {}
    for name, parts in marked.items():
        own = np.concatenate([slots for slots, _ in parts])
        places[name] = np.searchsorted(keys, own), np.concatenate([each for _, each in parts])
    return places


def _best(
    items: ItemTable, k: int, slots: IntArray, scores: Float64Array, channels: IntArray
) -> list[RecalledItem]:
    best = top(scores, k)
    ids = items.slots.ids_at(slots[best])
    names = [_CHANNELS[place] for place in channels[best].tolist()]
    ranked = sorted(zip((-scores[best]).tolist(), ids, names, strict=True))
    return [RecalledItem(item_id, -score, channel) for score, item_id, channel in ranked]


def _channel_of(mark: str) -> int:
    """The channel by which items with this mark come in."""
    if mark in (RECENT, TAKEN):
        return _RECENT
    return _SIMILAR if mark in (SIMILAR, TOGETHER) else _TRENDING

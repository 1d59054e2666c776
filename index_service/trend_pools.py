"""The most trending items, without a look at every item for every query."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

import numpy as np

from index_service.admission import Admission
from index_service.item_table import ItemTable
from index_service.query import Query
from index_service.ranking import top
from index_service.slots import IntArray
from index_service.trend import Float64Array
from schemas.codec import encode
from schemas.score import blended, half_life_of

_POOLS = 64
_CHANGED_SHARE = 0.25
_GROWTH = 1.5
"""A pool that holds so many times its size is brought back to it."""


class _Pool:
    """The most trending of all items at one time, and every item that changed since."""

    def __init__(self, slots: IntArray, changes: int) -> None:
        self.begun = self.seen = changes
        self.hold(slots)

    def hold(self, slots: IntArray) -> None:
        self.slots = slots  # distinct, in no order
        self.ordered = slots
        self.ordered_at: object = None  # what that order goes by
        self._held = set(slots.tolist())

    def add(self, changed: list[int]) -> None:
        """Slots that changed; most of what changes often is held already."""
        new = [slot for slot in dict.fromkeys(changed) if slot not in self._held]
        self.seen += len(changed)
        if new:
            self._held.update(new)
            self.slots = np.concatenate([self.slots, np.array(new, dtype=np.intp)])


class TrendPools:
    """Pools by shards, filter and direction of the weights, each of the `size` most trending items.

    Items change their order by events, which come as changes, and every changed item is looked
    at; the rest only fades. So a pool is drawn from all items again after a quarter as many
    changes as there are items.
    """

    def __init__(self, items: ItemTable, size: int) -> None:
        self._items = items
        self._size = size
        self._pools: OrderedDict[tuple[bytes, bytes], _Pool] = OrderedDict()
        self._changes: list[int] = []  # slots

    def note(self, slot: int) -> None:
        """The slot's item, or what is known of it, changed."""
        if not self._pools:
            return
        self._changes.append(slot)
        if len(self._changes) > len(self._items.slots) + self._size:
            self._pools.clear()
            self._changes.clear()

    def best(self, query: Query, admitted: Admission, count: int) -> IntArray:
        """Slots of the `count` most trending of the admitted items, or of all when fewer."""
        if admitted.count <= self._size or 2 * count > self._size:
            return self._top(query, admitted.slots(), count)
        found = admitted.keep(self._in_order(query, admitted))
        if len(found) < count:  # the query excludes most of the pool
            return self._top(query, admitted.slots(), count)
        return found[:count]

    def _in_order(self, query: Query, admitted: Admission) -> IntArray:
        """The pool of queries like this one, the most trending first."""
        key = (_place(query), _direction(frozenset(query.weights.items())))
        pool, changes = self._pools.get(key), len(self._changes)
        if pool is None or changes - pool.begun > _CHANGED_SHARE * len(self._items.slots):
            # With what this query excludes: others don't.
            pool = _Pool(self._top(query, admitted.meeting(), self._size), changes)
            self._pools[key] = pool
            if len(self._pools) > _POOLS:
                self._pools.popitem(last=False)
        self._pools.move_to_end(key)
        pool.add(self._changes[pool.seen :])
        if len(pool.slots) > _GROWTH * self._size:
            pool.hold(self._top(query, admitted.met_by(pool.slots), self._size))
        # Queries that come together mostly have the same weights and clock.
        state = (pool.seen, query.trend_clock, frozenset(query.weights.items()))
        if pool.ordered_at != state:
            pool.ordered_at = state
            pool.ordered = pool.slots[np.argsort(-self._trends(query, pool.slots))]
        return pool.ordered

    def _top(self, query: Query, slots: IntArray, count: int) -> IntArray:
        return slots[top(self._trends(query, slots), count)]

    def _trends(self, query: Query, slots: IntArray) -> Float64Array:
        biases = self._items.trend.biases(query.weights, slots, query.trend_clock)
        return blended(np.zeros(len(slots)), 0.0, query.weights, biases, {})


def _place(query: Query) -> bytes:
    """The same for queries that may return the same items, but for what they exclude."""
    if not query.conditions and query.shards is None:
        return b""
    shards = None if query.shards is None else sorted(query.shards)
    return encode((shards, dict(sorted(query.conditions.items()))))


@lru_cache(64)
def _direction(weights: frozenset[tuple[str, float]]) -> bytes:
    """The same for weights that rank nearly alike: a common factor changes no order."""
    trends = {name: weight for name, weight in weights if half_life_of(name) is not None}
    largest = max(map(abs, trends.values()), default=0.0)
    rounded = {name: round(4 * weight / largest) for name, weight in trends.items() if largest}
    return encode({name: rounded[name] for name in sorted(rounded) if rounded[name]})

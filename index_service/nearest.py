"""Finding candidates near queries: by the backend, or by comparing many vectors."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from index_service.admission import Admission
from index_service.attributes import BoolArray
from index_service.backend import NOTHING
from index_service.item_table import ItemTable
from index_service.live_index import LiveIndex
from index_service.query import Query
from index_service.ranking import top, top_of_each
from index_service.slots import IntArray
from schemas.vectors import Float32Array

_NEAREST_PER_K = 2
_NEAREST_MORE = 20
"""The nearest 2k + 20 by cosine are ranked by the blended score."""
_SCAN_BELOW = 0.25
"""Share of the items that a filter leaves, below which they are compared one by one: the backend
knows no filter, so it would be asked for many that are thrown away."""
_GATHER_BELOW = 0.25
"""Share of the rows whose gathering costs less than the product over all."""
_UNEVEN = 4
"""Queries are searched together when none asks for so many times the items of another."""


class Unwritten(NamedTuple):
    """What the backend may not find as it is."""

    slots: IntArray
    is_in: BoolArray
    """(used,): whether the slot is among these."""


@dataclass(frozen=True)
class Plan:
    """How a query's nearest items are to be found, decided at one moment."""

    query: Query
    admitted: Admission
    vectors: Float32Array
    """(used, dim): rows may change while they are read, so scores are computed again."""
    wanted: int
    """Nearest items to rank; 0 without a vector."""
    fetched: int
    """To take of the nearest of all items, as some of them are not admitted; 0: see `among`."""
    by_backend: bool
    """Those come from the backend; else every vector is compared."""
    among: IntArray | None
    """Slots to compare, all of them admitted. They are looked up with the lock held: numpy gives
    nonsense of flags that change while it lists them."""
    unwritten: Unwritten | None
    """None where the backend is not asked."""


def plan_searches(
    queries: Sequence[Query], items: ItemTable, live: LiveIndex, exact_below: int
) -> list[Plan]:
    """A plan for each query; the lock is held."""
    unwritten: Unwritten | None = None
    if live.backend is not None:
        slots: IntArray = np.array(live.unwritten(), dtype=np.intp)
        unwritten = Unwritten(slots, np.zeros(items.slots.used, dtype=np.bool_))
        unwritten.is_in[slots] = True
    return [_plan(query, items, unwritten, exact_below) for query in queries]


def _plan(query: Query, items: ItemTable, unwritten: Unwritten | None, exact_below: int) -> Plan:
    """`unwritten`: of the backend, if there is one."""
    admitted = Admission(items, query)
    wanted = 0
    if query.vector is not None:
        wanted = min(_NEAREST_PER_K * query.k + _NEAREST_MORE, admitted.count)
    total, used = len(items.slots), items.slots.used
    by_backend = unwritten is not None and admitted.count >= max(exact_below, 1)
    by_backend &= wanted > 0 and admitted.count >= _SCAN_BELOW * total
    fetched = 0
    if wanted and (by_backend or admitted.count >= _GATHER_BELOW * used):
        # What is excluded was liked or seen, so it lies near the query: it is counted in full.
        fetched = wanted * (total if by_backend else used) // admitted.count + len(query.exclude)
    plan = Plan(
        query=query,
        admitted=admitted,
        vectors=items.slots.vectors,
        wanted=wanted,
        fetched=fetched,
        by_backend=by_backend,
        among=None,
        unwritten=unwritten if by_backend else None,
    )
    return plan if fetched or not wanted else comparing(plan, items)


def comparing(plan: Plan, items: ItemTable) -> Plan:
    """The plan, as of now, by comparing what is admitted one by one; the lock is held."""
    admitted = Admission(items, plan.query)
    return dataclasses.replace(
        plan,
        admitted=admitted,
        vectors=items.slots.vectors,
        wanted=min(plan.wanted, admitted.count),
        fetched=0,
        by_backend=False,
        among=admitted.slots(),
    )


def propose(plans: Sequence[Plan], live: LiveIndex) -> list[IntArray]:
    """For each plan slots near its query, some of them perhaps others' by now; the lock is not
    held.

    Queries that go the same way go together: one call of the backend, one matrix product.
    """
    found: list[IntArray] = [NOTHING.keys for _ in plans]
    asking: dict[int, list[int]] = defaultdict(list)
    comparing_all: dict[int, list[int]] = defaultdict(list)
    for at, plan in enumerate(plans):
        if plan.by_backend:
            asking[_rung(plan.fetched)].append(at)
        elif plan.fetched:
            comparing_all[len(plan.vectors)].append(at)
        elif plan.among is not None:
            cosines = plan.vectors[plan.among] @ _vector(plan)
            found[at] = plan.among[top(cosines, plan.wanted)]
    for members in asking.values():
        k = max(plans[at].fetched for at in members)
        near = live.search_many(_stacked(plans, members), k)
        for at, neighbours in zip(members, near, strict=True):
            found[at] = neighbours.keys
    for members in comparing_all.values():
        # The many rows first: the other way round takes twice as long.
        products = plans[members[0]].vectors @ _stacked(plans, members).T  # (used, queries)
        most = max(plans[at].fetched for at in members)
        for at, slots in zip(members, top_of_each(products, most), strict=True):
            found[at] = slots
    return found


def with_unwritten(plan: Plan, found: IntArray, admitted: Admission) -> IntArray:
    """What was found for the plan, each slot once, and what of the admitted the backend could not
    find.
    """
    if plan.unwritten is None or not len(plan.unwritten.slots):
        return found
    slots, is_in = plan.unwritten
    found = found[found < len(is_in)]  # what came later, by another thread, need not be found
    return np.concatenate([found[~is_in[found]], admitted.keep(slots)])


def _stacked(plans: Sequence[Plan], members: list[int]) -> Float32Array:
    return np.stack([_vector(plans[at]) for at in members])  # (queries, dim)


def _vector(plan: Plan) -> Float32Array:
    assert plan.query.vector is not None  # or nothing would be wanted
    return plan.query.vector


def _rung(fetched: int) -> int:
    """The same for numbers of one size."""
    return int(math.log(fetched, _UNEVEN))

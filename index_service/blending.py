"""From candidates to an answer: all channels, ranked by the one blended score."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from index_service.admission import Admission
from index_service.nearest import Plan, near_slots
from index_service.ranking import top
from index_service.slots import IntArray
from index_service.trend import Float64Array
from index_service.trend_pools import TrendPools
from schemas.recall import Channel, RecalledItem
from schemas.score import RECENT, SIMILAR, TAKEN, blended

_CHANNELS: tuple[Channel, ...] = ("recent", "nearest", "similar", "trending")
_Marks = Mapping[str, tuple[IntArray, Float64Array]]


def rank(
    plan: Plan, found: list[str] | IntArray, pools: TrendPools, trending_share: float
) -> list[RecalledItem] | None:
    """The answer to a plan's query; None when the backend, which gave `found`, gave too few.

    Everything is looked up as it is now; the shard's lock is held.
    """
    query, items, admitted = plan.query, plan.items, plan.admitted
    if items.version != admitted.version:
        admitted = Admission(items, query)
    marks = {name: _marked(plan, values, admitted) for name, values in query.marks.items()}
    proposed = [(_channel_of(name), slots) for name, (slots, _) in marks.items()]
    # A share of k, and k of them without a vector.
    trending = math.ceil(query.k * (1.0 if query.vector is None else trending_share))
    proposed.append(("trending", pools.best(query, admitted, trending)))
    if plan.wanted:
        near = near_slots(plan, found, admitted)
        if near is None:
            return None
        proposed.append(("nearest", near))
    # An item comes by the first channel that proposes it.
    proposed.sort(key=lambda each: _CHANNELS.index(each[0]))
    slots, first = np.unique(np.concatenate([some for _, some in proposed]), return_index=True)
    codes = np.repeat(
        [_CHANNELS.index(channel) for channel, _ in proposed], [len(some) for _, some in proposed]
    )[first]
    return _best(plan, slots, _scores(plan, slots, marks), codes)


def _scores(plan: Plan, slots: IntArray, marks: _Marks) -> Float64Array:
    """(slots,); `slots` go up."""
    query, vectors = plan.query, plan.items.slots.vectors
    cosines = np.zeros(len(slots)) if query.vector is None else vectors[slots] @ query.vector
    placed = {
        name: (np.searchsorted(slots, marked), values) for name, (marked, values) in marks.items()
    }
    biases = plan.items.trend.biases(query.weights, slots, query.trend_clock)
    return blended(cosines, query.scale, query.weights, biases, placed)


def _marked(
    plan: Plan, values: Mapping[str, float], admitted: Admission
) -> tuple[IntArray, Float64Array]:
    """Slots of the admitted ones of these items, going up, and their values."""
    slot_of = plan.items.slots.slot_of
    value_at = {
        slot: value for item_id, value in values.items() if (slot := slot_of(item_id)) is not None
    }
    slots = admitted.keep(np.array(sorted(value_at), dtype=np.intp))
    return slots, np.array([value_at[slot] for slot in slots.tolist()], dtype=np.float64)


def _best(
    plan: Plan, slots: IntArray, scores: Float64Array, codes: npt.NDArray[np.intp]
) -> list[RecalledItem]:
    best = top(scores, plan.query.k)
    ids = plan.items.slots.ids_at(slots[best])
    channels = [_CHANNELS[code] for code in codes[best].tolist()]
    ranked = sorted(zip((-scores[best]).tolist(), ids, channels, strict=True))
    return [RecalledItem(item_id, -score, channel) for score, item_id, channel in ranked]


def _channel_of(mark: str) -> Channel:
    """The channel by which items with this mark come in."""
    if mark in (RECENT, TAKEN):
        return "recent"
    return "similar" if mark == SIMILAR else "trending"

"""The few best of many, as a user's record holds them."""

from __future__ import annotations

import numpy as np

from towers.arrays import Doubles, Ints
from towers.sparse_sums import Listed


def above_the_rest(values: Doubles, kept: int) -> tuple[Ints, Doubles]:
    """Places of the `kept` largest, best first, and how far each is above the best of the rest.

    values: (any,), none below 0; 0 is the rest's when there is none. So what just fails to be
    kept differs little from what just is: both have about 0. None that has 0 is kept.
    """
    negated, floor = -values, 0.0
    if len(values) > kept:
        first = negated.argpartition(kept)[: kept + 1]
        order = first[negated[first].argsort(kind="stable")]
        floor, order = values[order[kept]], order[:kept]
    else:
        order = negated.argsort(kind="stable")
    above: Doubles = values[order] - floor
    positive = np.count_nonzero(above)  # the first ones
    return order[:positive], above[:positive]


def strongest(listed: Listed, most: int) -> Listed:
    """The `most` items that have most, for or against, strongest first."""
    rows, values = listed
    sizes = np.abs(values)
    if len(sizes) > most:
        kept = np.argpartition(-sizes, most)[:most]
        rows, values, sizes = rows[kept], values[kept], sizes[kept]
    order = np.argsort(-sizes, kind="stable")
    return rows[order], values[order]


def named(names: list[str], rows: Ints, values: Doubles) -> dict[str, float]:
    """What some items have, by item id."""
    return dict(zip(map(names.__getitem__, rows.tolist()), values.tolist(), strict=True))

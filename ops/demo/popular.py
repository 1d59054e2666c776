"""The list that the control group gets: what is clicked most, lately."""

from __future__ import annotations

import heapq
from collections.abc import Container

_RESCALE_AT = 2.0**500


class Popular:
    """Clicks per item, decayed: a click weighs half once `half_life_clicks` more have come.

    Forward decay (Cormode et al., ICDE 2009): a new click weighs more instead of all old ones less.
    """

    def __init__(self, half_life_clicks: float = 5_000) -> None:
        self._growth = 2.0 ** (1 / half_life_clicks)
        self._weight = 1.0  # of the newest click
        self._counts: dict[str, float] = {}

    def add(self, item_id: str) -> None:
        """Count one click."""
        self._weight *= self._growth
        self._counts[item_id] = self._counts.get(item_id, 0.0) + self._weight
        if self._weight > _RESCALE_AT:
            self._counts = {item: count / self._weight for item, count in self._counts.items()}
            self._weight = 1.0

    def count(self, item_id: str) -> float:
        """The decayed count; the newest click weighs 1."""
        return self._counts.get(item_id, 0.0) / self._weight

    def top(self, k: int, exclude: Container[str] = ()) -> list[str]:
        """At most `k` clicked items, most clicked first, equal ones by id."""
        ranked = ((-count, item) for item, count in self._counts.items() if item not in exclude)
        return [item for _, item in heapq.nsmallest(k, ranked)]

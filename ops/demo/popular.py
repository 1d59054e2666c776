"""The list that the control group gets: what is liked most by everybody."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence

_PRIOR_EXPOSURES = 100.0


class Popular:
    """Items by click-through rate, each drawn to the mean rate as if shown 100 times more at it.

    By rate and not by clicks: most of what is shown comes from recall, and by clicks alone the
    control group would get what recall shows most, which is weaker.
    """

    def __init__(self) -> None:
        self._exposures: Counter[str] = Counter()
        self._clicks: Counter[str] = Counter()

    def add(self, shown: Sequence[str], clicked: Sequence[str]) -> None:
        """Count one visit."""
        self._exposures.update(shown)
        self._clicks.update(clicked)

    def rate(self, item_id: str) -> float:
        """The item's smoothed click-through rate; the mean of all for one that was never shown."""
        return self._rate(item_id, self._prior_clicks())

    def top(self, k: int) -> list[str]:
        """At most `k` items that were shown, by falling rate, equal ones by id."""
        prior_clicks = self._prior_clicks()
        return heapq.nsmallest(
            k, self._exposures, key=lambda item: (-self._rate(item, prior_clicks), item)
        )

    def _prior_clicks(self) -> float:
        exposures = self._exposures.total()
        return _PRIOR_EXPOSURES * self._clicks.total() / exposures if exposures else 0.0

    def _rate(self, item_id: str, prior_clicks: float) -> float:
        clicks = self._clicks[item_id] + prior_clicks
        return clicks / (self._exposures[item_id] + _PRIOR_EXPOSURES)

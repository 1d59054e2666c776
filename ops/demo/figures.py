"""What a run of the demo measured; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np

from ops.demo.arms import Arm

ARMS: tuple[Arm, ...] = ("recall", "popular", "random")


class Quantiles(msgspec.Struct, frozen=True):
    """Of measured times, in milliseconds; None when nothing was measured."""

    p50: float | None
    p99: float | None
    n: int


class Report(msgspec.Struct, frozen=True):
    """The demo's answer for programs. Click-through rates are those of the run's second half."""

    seconds: float
    seed: int
    ctr_recall: float
    ctr_popular: float
    ctr_random: float
    ctr_recall_first_half: float
    changed_after_click: float
    """Share of probes whose top 10 changed, in its items or their order, after the click."""
    changed_without_click: float
    """The same between two recalls as far apart, without a click: the model learns all the time."""
    kept_after_click: float
    """Share of the top 10's items that stayed after a click."""
    kept_without_click: float
    click_to_user_vector_ms: Quantiles
    click_to_changed_recall_ms: Quantiles
    event_to_searchable_ms: Quantiles
    recall_ms: Quantiles
    events: int
    clicks: int
    recalls: int
    recall_failures: int
    new_items: int
    new_items_recalled: int


def quantiles(times_ms: Sequence[float]) -> Quantiles:
    """Median and 99th percentile, interpolated linearly."""
    if not times_ms:
        return Quantiles(None, None, 0)
    p50, p99 = np.percentile(np.asarray(times_ms), [50, 99])
    return Quantiles(round(float(p50), 2), round(float(p99), 2), len(times_ms))


class ClickThrough:
    """Exposures and clicks of each arm by second of the run."""

    def __init__(self) -> None:
        self._exposures: dict[Arm, Counter[int]] = {arm: Counter() for arm in ARMS}
        self._clicks: dict[Arm, Counter[int]] = {arm: Counter() for arm in ARMS}

    def add(self, arm: Arm, at_s: float, exposures: int, clicks: int) -> None:
        """A visit of this arm `at_s` seconds into the run."""
        self._exposures[arm][int(at_s)] += exposures
        self._clicks[arm][int(at_s)] += clicks

    def rate(self, arm: Arm, from_s: float, to_s: float) -> float:
        """Clicks by exposures of the whole seconds in [from_s, to_s); 0 if none."""
        seconds = range(int(from_s), int(np.ceil(to_s)))
        exposures = sum(self._exposures[arm][second] for second in seconds)
        clicks = sum(self._clicks[arm][second] for second in seconds)
        return clicks / exposures if exposures else 0.0


class Probes:
    """What probes of one kind saw: the top 10 before and after."""

    def __init__(self) -> None:
        self._kept: list[float] = []
        self._changed = 0

    def add(self, before: Sequence[str], after: Sequence[str]) -> bool:
        """Compare two lists; True when they differ in their items or in their order."""
        changed = list(before) != list(after)
        self._changed += changed
        self._kept.append(len(set(before) & set(after)) / len(before) if before else 1.0)
        return changed

    @property
    def changed(self) -> float:
        """Share of the probes that changed."""
        return self._changed / len(self._kept) if self._kept else 0.0

    @property
    def kept(self) -> float:
        """Mean share of items that stayed in the list."""
        return float(np.mean(self._kept)) if self._kept else 1.0

"""A data set as evaluation reads it: runs of events, and which positives are judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from ops.datasets.dataset import Dataset
from schemas.events import EXPOSURE, Event, Item
from schemas.settings import LabellingSettings


class FeatureNames(NamedTuple):
    """Names of all features that occur."""

    items: frozenset[str]
    users: frozenset[str]


class Before(NamedTuple):
    """What came before the part of the data set that is evaluated."""

    events: Sequence[Event]
    items: Mapping[str, Item]
    """Of the whole catalogue, by id."""


NOTHING_BEFORE = Before((), {})


class Run(NamedTuple):
    """Consecutive events of one request: all of it, or a part of it."""

    events: list[Event]
    judged: list[Event]
    """The first positive of each item of the request, as far as it is in this run."""
    opens: bool
    """The request begins here, and a positive of it is judged here or later."""
    closes: bool
    """No positive of the request is judged after this run."""


class Stream:
    """The first `limit` events of a data set in its order, read as often as wanted; less the first
    `before_share` of them, which are for those who learn beforehand.

    A positive is judged once per request and item, whatever its action. Events of actions that
    the settings do not know are left out and counted.
    """

    def __init__(
        self,
        dataset: Dataset,
        rules: LabellingSettings,
        limit: int | None,
        before_share: float = 0.0,
    ) -> None:
        self._dataset = dataset
        self._rules = rules
        self._limit = limit
        self._items: dict[str, Item] = {item.item_id: item for item in dataset.items}
        self._skipped = 0
        self.before = self._split(before_share)
        """What is not evaluated, for those who learn before they are."""
        self._open: dict[str, int] = {}  # positives to judge, by request
        self.events = 0
        """Events that are evaluated."""
        self.unknown_actions = 0
        """Events left out."""
        self.clicks = 0
        """Positives that are judged."""
        self.features = self._survey()

    def item(self, item_id: str, ts_ms: int) -> Item:
        """The item's record; one without features where the data set has none."""
        return self._items.get(item_id) or Item(item_id, ts_ms)

    def runs(self) -> Iterator[Run]:
        """The events, run by run."""
        left = dict(self._open)
        taken: dict[str, set[str]] = {}
        for request_id, group in groupby(self._known(), key=lambda event: event.request_id):
            events = list(group)
            waiting = left.get(request_id, 0)
            opens = waiting > 0 and request_id not in taken
            judged = self._judged(events, taken.setdefault(request_id, set())) if waiting else []
            if judged:
                left[request_id] = waiting - len(judged)
            closes = waiting > 0 and waiting == len(judged)
            if closes:
                del left[request_id], taken[request_id]
            yield Run(events, judged, opens, closes)

    def _judged(self, events: Sequence[Event], taken: set[str]) -> list[Event]:
        judged = []
        for event in events:
            if event.action in self._rules.positives and event.item_id not in taken:
                taken.add(event.item_id)
                judged.append(event)
        return judged

    def _known(self) -> Iterable[Event]:
        known = {EXPOSURE, *self._rules.positives, *self._rules.signals}
        return (event for event in self._all() if event.action in known)

    def _all(self) -> Iterable[Event]:
        return islice(self._dataset.events, self._skipped, self._limit)

    def _split(self, share: float) -> Before:
        """The first `share` of the events, up to the end of the request that this falls in."""
        events: list[Event] = []
        wanted = int(
            share * min(self._dataset.events_total, self._limit or self._dataset.events_total)
        )
        for event in islice(self._dataset.events, self._limit):
            if len(events) >= wanted and (not events or event.request_id != events[-1].request_id):
                break
            events.append(event)
        self._skipped = len(events)
        return Before(events, self._items)

    def _survey(self) -> FeatureNames:
        taken: dict[str, set[str]] = {}
        named: set[str] = set()
        for event in self._known():
            self.events += 1
            named.update(event.context)
            if self._judged([event], taken.setdefault(event.request_id, set())):
                self._open[event.request_id] = self._open.get(event.request_id, 0) + 1
        self.clicks = sum(self._open.values())
        self.unknown_actions = sum(1 for _ in self._all()) - self.events
        of_items = frozenset(name for item in self._items.values() for name in item.features)
        return FeatureNames(of_items, frozenset(named))

"""Event times of a replay: moved to the present, or kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from schemas.events import Event, Item

TimeMode = Literal["now", "original"]
"""`now`: an event happens when it is published. `original`: when the data set says."""


def retime(events: Iterable[Event], mode: TimeMode, now_ms: Callable[[], int]) -> Iterator[Event]:
    """The same events in the same order, with the times of the mode.

    With `now` an event's time is the clock's when it is taken from this iterator, so publish it
    then. Never in the future by that clock, and never before the event in front of it: so the order
    within a request stays. Where the clock steps back both can't hold; then time stands still until
    the clock has caught up.
    """
    if mode == "original":
        yield from events
        return
    latest = 0
    for event in events:
        latest = max(latest, now_ms())
        yield msgspec.structs.replace(event, ts_ms=latest)


def retime_items(
    items: Iterable[Item], mode: TimeMode, now_ms: Callable[[], int]
) -> Iterator[Item]:
    """The same items; with `now`, their state came to be when they are taken from this iterator."""
    for item in items:
        yield item if mode == "original" else msgspec.structs.replace(item, ts_ms=now_ms())

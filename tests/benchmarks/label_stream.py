"""The events that labelling is measured on, as records, and the labels that must come of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

import xxhash

from schemas.codec import encode
from schemas.events import CLICK, EXPOSURE, Event
from schemas.settings import LabellingSettings

CLICK_SHARE = 0.04
_SHOWN = 25  # items a request
_T0_MS = 1_700_000_000_000
_STEP_MS = 1
_LATENESS_MS = 1_000
_ALL_BITS = 2**64 - 1


class Labels:
    """How many there are, and a sum over them that any other set of labels misses."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, request_id: str, item_id: str, positive: bool) -> None:
        """One label, once."""
        self.count += 1
        identity = xxhash.xxh3_64_intdigest(f"{request_id} {item_id} {positive}".encode())
        self._sum = (self._sum + identity) & _ALL_BITS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it changes


class Stream(NamedTuple):
    """Events in order of time, with moments so far from them that all before is settled."""

    events: list[Event]
    before_ms: tuple[int, int]
    """Two moments before the stream, the second past the first's window."""
    after_ms: int
    """A moment past the window of every event."""
    rules: LabellingSettings
    """A window of a quarter of the stream, so that a quarter of it is pending at any time."""


def stream(exposures: int) -> Stream:
    """Requests of 25 exposures, each followed by its clicks: 4 % of the exposures."""
    chance = random.Random(0)
    events: list[Event] = []
    for start in range(0, exposures, _SHOWN):
        request, user = f"request-{start // _SHOWN}", f"user-{chance.randrange(1_000)}"
        shown = [f"item-{number}" for number in chance.sample(range(5_000), _SHOWN)]
        shown = shown[: exposures - start]
        ts_ms = _T0_MS + start * _STEP_MS
        events += [
            Event(EXPOSURE, user, item, request, ts_ms, position)
            for position, item in enumerate(shown)
        ]
        events += [
            Event(CLICK, user, item, request, ts_ms + _SHOWN * _STEP_MS - 1)
            for item in shown
            if chance.random() < CLICK_SHARE
        ]
    window_ms = exposures * _STEP_MS // 4
    long_ms = 4 * (window_ms + _LATENESS_MS) + 10_000
    return Stream(
        events,
        (_T0_MS - 2 * long_ms, _T0_MS - long_ms),
        _T0_MS + exposures * _STEP_MS + long_ms,
        LabellingSettings(window_ms=window_ms, lateness_ms=_LATENESS_MS),
    )


def single(action: str, ts_ms: int, user_id: str = "user") -> Event:
    """An event of a request of its own."""
    return Event(action, user_id, "item", f"request of {user_id} at {ts_ms}", ts_ms)


def records_of(
    events: list[Event], size: int, write: Callable[[object], bytes] = encode
) -> list[bytes]:
    """The events as records of `size`; a record of one is the event itself."""
    if size == 1:
        return [write(event) for event in events]
    return [write(events[start : start + size]) for start in range(0, len(events), size)]


def expected(events: Iterable[Event], *, positives: bool, negatives: bool) -> Labels:
    """What a labeller of these kinds makes of the events."""
    clicked: set[tuple[str, str]] = set()
    shown: set[tuple[str, str]] = set()
    for event in events:
        (clicked if event.action == CLICK else shown).add((event.request_id, event.item_id))
    labels = Labels()
    for request_id, item_id in clicked if positives else ():
        labels.add(request_id, item_id, True)
    for request_id, item_id in shown - clicked if negatives else ():
        labels.add(request_id, item_id, False)
    return labels

"""A long synthetic log of events: requests, clicks early and late, duplicates, jitter."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from schemas.events import CLICK, EXPOSURE, Event
from schemas.settings import LabellingSettings

RULES = LabellingSettings(
    positives={CLICK: 1.0, "share": 3.0},
    signals={"view": 0.5},
    window_ms=60_000,
    lateness_ms=5_000,
)
"""Of 1,000 events a second of event time, about 60,000 exposures are always waiting."""

_SHOWN = 25  # items a request
_CLICKED = 0.042  # of exposures: a little over 4 %, since other actions and duplicates dilute it
_USERS = 5_000
_EARLY = 0.05  # of clicks: they arrive before their exposure
_LATE = 0.02  # of clicks: they happen after the window
_DUPLICATE = 0.01
_SHARED, _VIEWED = 0.1, 0.2  # of clicks


def proof_stream(count: int, start_ms: int, seed: int = 0) -> list[Event]:
    """About `count` events in the order of arrival, none further behind than the lateness.

    One millisecond of event time an event. The last ones are signals far later, one for each of
    some hundred users, so that every partition's windows close without the clock.
    """
    chance = Random(seed)
    arrivals: list[tuple[float, int, Event]] = []
    ts_ms = start_ms
    while len(arrivals) < count:
        for arrival_ms, event in _request(f"r{ts_ms - start_ms}", ts_ms, chance):
            arrivals.append((arrival_ms, len(arrivals), event))
            if chance.random() < _DUPLICATE:
                again_ms = event.ts_ms + chance.random() * RULES.lateness_ms
                arrivals.append((again_ms, len(arrivals), event))
        ts_ms += _SHOWN
    arrivals.sort()
    end_ms = ts_ms + 10 * RULES.window_ms
    ends = [Event("view", f"end-{user}", "end", f"end-{user}", end_ms) for user in range(200)]
    return [event for _, _, event in arrivals] + ends


def _request(request_id: str, ts_ms: int, chance: Random) -> Iterator[tuple[float, Event]]:
    user = f"user-{chance.randrange(_USERS)}"

    def arriving(event: Event) -> tuple[float, Event]:
        return event.ts_ms + chance.random() * RULES.lateness_ms, event

    for position, item in enumerate(chance.sample(range(100_000), _SHOWN)):
        item_id = f"item-{item}"
        shown = Event(EXPOSURE, user, item_id, request_id, ts_ms, position)
        if chance.random() >= _CLICKED:
            yield arriving(shown)
            continue
        late = chance.random() < _LATE
        delay_ms = chance.randrange(10_000) + late * 2 * RULES.window_ms
        clicked = Event(CLICK, user, item_id, request_id, ts_ms + delay_ms)
        if not late and chance.random() < _EARLY:
            clicked = Event(CLICK, user, item_id, request_id, ts_ms)
            yield float(ts_ms), clicked
            yield ts_ms + RULES.lateness_ms - 1.0, shown
        else:
            yield arriving(shown)
            yield arriving(clicked)
        for action, odds in (("share", _SHARED), ("view", _VIEWED)):
            if chance.random() < odds:
                yield arriving(Event(action, user, item_id, request_id, clicked.ts_ms))

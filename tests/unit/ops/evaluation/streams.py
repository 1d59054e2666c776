"""Small streams for the tests of evaluation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ops.datasets.dataset import Dataset
from ops.evaluation.stream import Stream
from schemas.events import Event, FeatureValue, Item
from schemas.settings import LabellingSettings, Settings, TowerSettings, TrainerSettings

SETTINGS = Settings(
    towers=TowerSettings(dim=8, hidden=8, uniform_negatives=16, positives_weight=0.5),
    trainer=TrainerSettings(batch=8),
    labelling=LabellingSettings(window_ms=30_000, lateness_ms=0),
)


def event(
    action: str,
    user: str,
    item: str,
    request: str | None = None,
    ts_ms: int = 0,
    **context: FeatureValue,
) -> Event:
    return Event(action, user, item, request or f"{user}-{item}-{ts_ms}", ts_ms, context=context)


def stream_of(
    events: Iterable[Event],
    items: Iterable[Item] = (),
    limit: int | None = None,
    rules: LabellingSettings = SETTINGS.labelling,
) -> Stream:
    listed = list(events)
    clicks = sum(one.action == "click" for one in listed)
    return Stream(Dataset("test", list(items), listed, len(listed), clicks), rules, limit)


def random_events(count: int, users: int = 6, items: int = 30, seed: int = 0) -> list[Event]:
    """Requests of three exposures, some with a click, one every five seconds."""
    random = np.random.default_rng(seed)
    events = []
    for number in range(count):
        user, ts_ms = f"u{random.integers(users)}", number * 5_000
        shown = [f"i{item}" for item in random.choice(items, 3, replace=False)]
        events += [event("exposure", user, item, f"r{number}", ts_ms) for item in shown]
        if random.random() < 0.7:
            events.append(event("click", user, shown[0], f"r{number}", ts_ms + 100))
    return events

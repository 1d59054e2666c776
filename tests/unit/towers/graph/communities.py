"""Clicks of users who keep to one community of items, with hardly any strays."""

from __future__ import annotations

import numpy as np

from schemas.events import FeatureValue
from towers.graph.click_feed import ClickFeed, FeedRules
from towers.graph.sessions import SessionRules

COMMUNITIES = 6
ITEMS_EACH = 15


def community(item_id: str) -> int:
    return int(item_id[1:]) % COMMUNITIES


def planted(seed: int = 0, users: int = 250, clicks: int = 12) -> ClickFeed:
    random = np.random.default_rng(seed)
    feed = ClickFeed(FeedRules(SessionRules(min_stay_ms=0)))
    for user in range(users):
        home = random.integers(COMMUNITIES)
        for click in range(clicks):
            stray = random.random() < 0.05
            group = random.integers(COMMUNITIES) if stray else home
            item = group + COMMUNITIES * random.integers(ITEMS_EACH)
            feed.add(f"u{user}", f"i{item}", user * 1_000 + click)
    feed.finish()
    return feed


def features(items: int = COMMUNITIES * ITEMS_EACH) -> dict[str, dict[str, FeatureValue]]:
    return {f"i{item}": {"kind": f"k{item % COMMUNITIES}"} for item in range(items)}

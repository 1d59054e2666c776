"""A seeded world of users with hidden tastes and a catalogue that keeps growing.

Pure: no clock and no I/O. Items show a category, a brand, tags and a price; their quality stays
hidden. Users like two or three categories, some brands, a range of prices, and something that no
feature shows. A user's context (age group, device) hints at the categories, weakly.

There is no position bias: an item is clicked as readily at the bottom of a list as at its top, so
two lists of the same items are worth the same. Nor does a user tire of an item.
"""

from __future__ import annotations

import math
import random

from ops.demo.arms import Arm, arm_of
from ops.demo.taste import LATENT_DIM, Nature, Taste, click_probability
from schemas.events import FeatureValue, Item

CATEGORIES = (
    "art audio baby bags beauty bikes books camping cooking fitness games garden hiking jewels "
    "lamps music pets shoes toys watches"
).split()
AGE_GROUPS = ("18-24", "25-34", "35-49", "50+")
DEVICES = ("phone", "tablet", "desktop")
_BRANDS_A_CATEGORY = 5
_TAGS_A_CATEGORY = 4
_HINTED = 5
"""Consecutive categories that an age group likes three times as often as the others."""


class World:
    """Users, items, and what the ones do when shown the others.

    The same arguments and calls in the same order give the same world. Clicks and new items draw
    from a random stream each, so more of one never changes the other, and each may have a thread of
    its own.
    """

    def __init__(self, seed: int, users: int = 1_000, items: int = 1_000, now_ms: int = 0) -> None:
        self._clicks = random.Random(f"{seed} clicks")
        self._makes = random.Random(f"{seed} items")
        births = random.Random(f"{seed} users")
        self._tastes: dict[str, Taste] = {}
        self._contexts: dict[str, dict[str, FeatureValue]] = {}
        self._natures: dict[str, Nature] = {}
        self.items: dict[str, Item] = {}
        """The catalogue by item id; only `new_item` adds to it."""
        for number in range(users):
            self._add_user(f"user-{number:06d}", births)
        self.users = list(self._tastes)
        """Every user id."""
        for _ in range(items):
            self.new_item(now_ms)

    def context(self, user_id: str) -> dict[str, FeatureValue]:
        """What the user's events say about the user: `age_group` and `device`."""
        return self._contexts[user_id]

    def arm(self, user_id: str) -> Arm:
        """Which list the user gets, by `arm_of`: the split is part of the world."""
        return arm_of(user_id)

    def click_probability(self, user_id: str, item_id: str) -> float:
        """The truth, which only an evaluation may ask for. Raises KeyError for an unknown user.

        An item that the world does not hold, as an earlier run may have left one behind, is never
        clicked: 0.
        """
        nature = self._natures.get(item_id)
        return 0.0 if nature is None else click_probability(self._tastes[user_id], nature)

    def click(self, user_id: str, item_id: str) -> bool:
        """Whether the user clicks the item this time. Raises KeyError for an unknown user."""
        return self._clicks.random() < self.click_probability(user_id, item_id)

    def new_item(self, now_ms: int) -> Item:
        """One more item of the catalogue: `item-000123` after 123 others."""
        draw = self._makes
        place = draw.randrange(len(CATEGORIES))
        nature = Nature(
            category=CATEGORIES[place],
            brand=f"brand-{_near(place, _BRANDS_A_CATEGORY, draw):02d}",
            log_price=draw.gauss(3.5, 0.8),
            quality=draw.gauss(0.0, 0.22),
            latent=_latent(draw),
        )
        tags = {f"tag-{_near(place, _TAGS_A_CATEGORY, draw):02d}" for _ in range(2)}
        item = Item(
            item_id=f"item-{len(self.items):06d}",
            ts_ms=now_ms,
            features={
                "category": nature.category,
                "brand": nature.brand,
                "tags": sorted(tags),
                "price": round(math.exp(nature.log_price), 2),
            },
            attributes={"category": nature.category},
        )
        self._natures[item.item_id] = nature
        self.items[item.item_id] = item  # last: whoever finds an id here can ask all about it
        return item

    def _add_user(self, user_id: str, draw: random.Random) -> None:
        age = draw.randrange(len(AGE_GROUPS))
        hinted = {(age * _HINTED + step) % len(CATEGORIES) for step in range(_HINTED)}
        weights = [3.0 if place in hinted else 1.0 for place in range(len(CATEGORIES))]
        liked: dict[int, float] = {}
        for _ in range(draw.choice((2, 3))):
            place = draw.choices(range(len(CATEGORIES)), weights)[0]
            liked[place] = draw.uniform(1.8, 2.6)
        brands = {f"brand-{_near(place, _BRANDS_A_CATEGORY, draw):02d}" for place in liked}
        self._tastes[user_id] = Taste(
            categories={CATEGORIES[place]: odds for place, odds in liked.items()},
            brands=frozenset(brands),
            log_price=draw.gauss(3.5, 0.8),
            latent=_latent(draw),
        )
        self._contexts[user_id] = {
            "age_group": AGE_GROUPS[age],
            "device": draw.choices(DEVICES, (3 - age / 2, 1, 1 + age / 2))[0],
        }


def _near(place: int, each: int, draw: random.Random) -> int:
    """Number of a brand or tag of this category, or of the next one: each serves two."""
    return (place * each + draw.randrange(2 * each)) % (len(CATEGORIES) * each)


def _latent(draw: random.Random) -> list[float]:
    return [draw.gauss(0.0, 1.0) for _ in range(LATENT_DIM)]

"""A synthetic travel search: sessions of views in a city, then a booking; the truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.events import Item

Doubles = npt.NDArray[np.float64]

CITIES, HOTELS, USERS = 12, 25, 150
"""Cities, hotels in each, travellers."""

_AGAIN = 0.5
"""How often a booking is of a hotel viewed in the session, else it is a fresh choice."""
_VIEWS = 3


class Search(NamedTuple):
    """One session."""

    user: str
    city: str
    viewed: list[int]
    """Hotels, oldest first; distinct."""
    booked: int
    chances: Doubles
    """(hotels,): the true chance of each to be booked, once the views are known."""


def hotels(random: np.random.Generator) -> tuple[list[Item], Doubles]:
    """All hotels, those of a city one after the other, and the log of each one's price."""
    logs = random.normal(4.5, 0.7, CITIES * HOTELS)
    return [
        Item(f"h{row}", 1, features={"city": f"c{row // HOTELS}", "price": float(np.exp(log))})
        for row, log in enumerate(logs)
    ], logs


def searches(random: np.random.Generator, logs: Doubles, count: int) -> Iterator[Search]:
    """Sessions of travellers who go to any city, small ones less often, and like their own prices.

    What is popular in a city changes: a hotel's appeal is drawn anew every so often.
    """
    budgets = random.normal(4.5, 0.7, USERS)
    appeal = random.normal(0.0, 1.2, len(logs))
    sizes = 1 / np.arange(1, CITIES + 1)
    for _ in range(count):
        appeal[random.integers(len(logs))] = random.normal(0.0, 1.2)
        user = int(random.integers(USERS))
        city = int(random.choice(CITIES, p=sizes / sizes.sum()))
        there = np.arange(city * HOTELS, (city + 1) * HOTELS)
        wish = np.exp(appeal[there] - 2.0 * np.abs(logs[there] - budgets[user]))
        wish /= wish.sum()
        viewed = random.choice(there, _VIEWS, replace=False, p=wish)
        chances = np.zeros(len(logs))
        chances[there] = (1 - _AGAIN) * wish
        chances[viewed] += _AGAIN * np.array([0.2, 0.3, 0.5])  # most often the last one
        booked = int(random.choice(len(logs), p=chances))
        yield Search(f"u{user}", f"c{city}", viewed.tolist(), booked, chances)

"""What is evaluated: anything that ranks items for a user and takes in what happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from schemas.events import Event, FeatureValue, Item


class Ask(NamedTuple):
    """One request for a list, at its moment."""

    user_id: str
    ts_ms: int
    """Event time; nothing that happened after it is known."""
    context: dict[str, FeatureValue]
    """Of the request's first event."""
    k: int
    exclude: Sequence[str]
    """Items that must not be in the list."""


class Recommender(Protocol):
    """Called in event order: `recommend` for a request, then `arrive` and `take` for what it was.

    So whatever a recommender knows when it ranks happened before the request.
    """

    def recommend(self, ask: Ask) -> Sequence[str]:
        """At most `ask.k` items that have arrived, best first, none of them excluded."""

    def arrive(self, items: Sequence[Item]) -> None:
        """These items exist from now on; each is said once."""

    def take(self, events: Sequence[Event]) -> None:
        """This happened: events of one request, their items arrived."""

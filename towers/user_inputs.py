"""What the user tower reads of users, and what recall is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from schemas.vectors import pack_vector
from towers.arrays import Floats, ints, join_bags
from towers.listing import named
from towers.model import UserInputs
from towers.related import Related, view
from towers.users import User


def user_inputs(users: Sequence[User], history: int) -> UserInputs:
    """The users' latest items, `history` at most, and their features."""
    every = chain.from_iterable  # over the entries in C: a click waits for this
    items = ints(every(reversed(user.latest) for user in users))
    weights = np.fromiter(every(reversed(user.latest.values()) for user in users), np.float32)
    lengths = ints(len(user.latest) for user in users)
    rows = np.repeat(np.arange(len(users)), lengths)
    ages = np.arange(len(items)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    latest = np.zeros((len(users), history), np.int64)
    actions = np.zeros((len(users), history), np.float32)
    latest[rows, ages], actions[rows, ages] = items, weights
    return UserInputs(latest, actions, join_bags([(user.keys, user.weights) for user in users]))


def told_of(
    users: Sequence[User], vectors: Floats, related: Related, names: list[str]
) -> Iterator[dict[str, Any]]:
    """The fields of each `UserRecord` that are the user's own. names: of items, by row."""
    name = names.__getitem__
    views = [view(user) for user in users]
    lists = zip(related.similar(views), related.together(views), related.paired(views), strict=True)
    for user, vector, (similar, together, paired) in zip(users, vectors, lists, strict=True):
        context = related.context(user.features)
        yield {
            "vector": pack_vector(vector),
            "latest": list(map(name, reversed(user.latest))),
            "seen": list(map(name, reversed(user.seen))),
            "similar": named(names, *similar),
            "together": named(names, *together),
            "pairs": named(names, *paired),
            "context": {feature: named(names, *found) for feature, found in context.items()},
            "event_ts_ms": user.event_ts_ms,
        }

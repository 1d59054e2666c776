"""The latest positives: first to be learned, then to be learned again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from towers.arrays import (
    Bags,
    Doubles,
    Floats,
    Ints,
    State,
    array_of,
    bags_state,
    join_bags,
    load_bags,
    packed,
    split_bags,
    tensor_of,
    unpacked,
)


class Example(NamedTuple):
    """One positive with what was known of the user just before it."""

    user_id: str
    item: int
    weight: float
    latest: list[int]
    """Items acted upon before, newest first, without the positive's own."""
    actions: list[float]
    """Weights of those actions."""
    keys: Ints
    """Of the user's features."""
    raw: Doubles
    """Raw weights of `keys`."""


class Examples(NamedTuple):
    """Several of them as arrays."""

    user_ids: list[str]
    items: Ints
    weights: Floats
    latest: Ints
    """(examples, history), 0 where `actions` is 0"""
    actions: Floats
    """(examples, history)"""
    features: Bags


class ReplayBuffer:
    """A ring of the newest positives: those not yet learned, and the last `replayed` learned."""

    def __init__(self, replayed: int, history: int, waiting: int = 0) -> None:
        """`waiting`: so many may be pending beyond `replayed` before the oldest is passed over."""
        self._replayed = replayed
        self._size = size = replayed + waiting
        self._first = 0  # number of the oldest that a checkpoint brought back
        self._user_ids = [""] * size
        self._items: Ints = np.zeros(size, np.int64)
        self._weights: Floats = np.zeros(size, np.float32)
        self._latest: Ints = np.zeros((size, history), np.int64)
        self._actions: Floats = np.zeros((size, history), np.float32)
        self._features: list[tuple[Ints, Doubles]] = [(np.zeros(0, np.int64), np.zeros(0))] * size
        self.appended = 0
        """Positives ever appended."""
        self.learned = 0
        """The first so many of them were taken to be learned, or passed over."""
        self.overrun = 0
        """Positives overwritten before they were learned."""

    @property
    def pending(self) -> int:
        """Positives not yet learned."""
        return self.appended - self.learned

    def extend(self, examples: Sequence[Example]) -> None:
        """Add the newest positives, whose numbers go on from `appended`."""
        for start in range(0, len(examples), self._size):
            self._extend(examples[start : start + self._size])

    def _extend(self, examples: Sequence[Example]) -> None:
        places = np.arange(self.appended, self.appended + len(examples)) % self._size
        self._items[places] = [one.item for one in examples]
        self._weights[places] = [one.weight for one in examples]
        history = self._latest.shape[1]
        missing = [history - len(one.latest) for one in examples]
        pairs = list(zip(examples, missing, strict=True))
        self._latest[places] = [one.latest + [0] * more for one, more in pairs]
        self._actions[places] = [one.actions + [0.0] * more for one, more in pairs]
        for place, one in zip(places.tolist(), examples, strict=True):
            self._user_ids[place] = one.user_id
            self._features[place] = one.keys, one.raw
        self.appended += len(examples)
        overrun = max(0, self.pending - self._size)
        self.learned += overrun
        self.overrun += overrun

    def take(self, limit: int) -> Ints:
        """Numbers of the oldest pending positives, at most `limit`, which now count as learned."""
        numbers = np.arange(self.learned, self.learned + min(limit, self.pending))
        self.learned += len(numbers)
        return numbers

    @property
    def oldest(self) -> int:
        """Number of the oldest positive that may be replayed or is pending."""
        return max(self._first, self.appended - self._size, self.learned - self._replayed)

    def examples(self, numbers: Ints) -> Examples:
        """The positives of these numbers, all from `oldest` on."""
        places = numbers % self._size
        listed = places.tolist()
        return Examples(
            [self._user_ids[place] for place in listed],
            self._items[places],
            self._weights[places],
            self._latest[places],
            self._actions[places],
            join_bags([self._features[place] for place in listed]),
        )

    def state(self) -> State:
        """For a checkpoint, oldest first."""
        kept = self.examples(np.arange(self.oldest, self.appended))
        return {
            "counts": packed([self.appended, self.learned, self.overrun]),
            "user_ids": packed(kept.user_ids),
            "items": tensor_of(kept.items),
            "weights": tensor_of(kept.weights),
            "latest": tensor_of(kept.latest),
            "actions": tensor_of(kept.actions),
            "features": bags_state(kept.features),
        }

    def load(self, state: State) -> None:
        """Become what `state` said, as far as it fits this size and history."""
        self.appended, self.learned, self.overrun = unpacked(state["counts"], list[int])
        user_ids = unpacked(state["user_ids"], list[str])
        count = min(len(user_ids), self._size)
        skipped = len(user_ids) - count
        self._first = self.appended - count
        places = np.arange(self.appended - count, self.appended) % self._size
        history = min(self._latest.shape[1], state["latest"].shape[1])
        self._items[places] = array_of(state["items"])[skipped:]
        self._weights[places] = array_of(state["weights"])[skipped:]
        self._latest[places, :history] = array_of(state["latest"])[skipped:, :history]
        self._actions[places, :history] = array_of(state["actions"])[skipped:, :history]
        features = split_bags(load_bags(state["features"]))
        for place, user_id, bag in zip(
            places.tolist(), user_ids[skipped:], features[skipped:], strict=True
        ):
            self._user_ids[place], self._features[place] = user_id, bag
        overrun = max(0, self.pending - self._size)
        self.learned += overrun
        self.overrun += overrun

"""What is known of each user: latest items, seen items, features, passed-over items."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from schemas.events import FeatureValue
from towers.arrays import Doubles, Ints, State, array_of, ints, packed, tensor_of, unpacked

KEPT_NEGATIVES = 32
"""Latest passed-over exposures of a user to learn from."""

_NO_KEYS: Ints = np.zeros(0, np.int64)
_NO_WEIGHTS: Doubles = np.zeros(0)


@dataclass(slots=True)
class User:
    """One user; items by row number, in order of arrival, oldest first."""

    latest: dict[int, float] = field(default_factory=dict)
    """Items acted upon, with the action's weight (the larger one of a repeated item)."""
    seen: dict[int, float] = field(default_factory=dict)
    """Items acted upon, with the action's weight (the larger one of a repeated item), or shown and
    passed over, with 0."""
    negatives: dict[int, int] = field(default_factory=dict)
    """Passed-over items by sample id."""
    features: dict[str, FeatureValue] = field(default_factory=dict)
    keys: Ints = field(default_factory=lambda: _NO_KEYS)
    """Of the features, in the users' vocabulary."""
    weights: Doubles = field(default_factory=lambda: _NO_WEIGHTS)
    """Raw weights of `keys`."""
    event_ts_ms: int = 0
    """Event time of the newest sample."""
    told: bytes = b""
    """Vector of the newest record; empty where none was made since the start."""

    def act(self, item: int, weight: float, history: int) -> None:
        """The user took or looked at the item; the `history` newest items stay."""
        self.latest[item] = max(weight, self.latest.pop(item, 0.0))
        _bound(self.latest, history)

    def see(self, items: Iterable[int], size: int, weight: float = 0.0) -> None:
        """The items are the newest seen, the last one most, each acted upon with the weight, 0
        where it was only shown; the `size` newest stay.
        """
        for item in items:
            self.seen[item] = max(weight, self.seen.pop(item, 0.0))
        _bound(self.seen, size)

    def pass_over(self, items: Mapping[int, int]) -> None:
        """These items were shown and not taken; by sample id."""
        self.negatives.update(items)
        _bound(self.negatives, KEPT_NEGATIVES)

    def learn_features(self, context: Mapping[str, FeatureValue], ts_ms: int) -> bool:
        """Take newer feature values over; true when that changed anything."""
        newer = ts_ms >= self.event_ts_ms
        if newer:
            self.event_ts_ms = ts_ms
        if (
            not newer
            or not context
            or all(self.features.get(name) == value for name, value in context.items())
        ):
            return False
        self.features = {**self.features, **context}  # who holds the old ones keeps them
        return True


def _bound(entries: dict[int, Any], size: int) -> None:
    """Drop the oldest ones above `size`."""
    if len(entries) > size:
        for key in [*islice(entries, len(entries) - size)]:
            del entries[key]


class Users:
    """The users whose samples are the newest, by id, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._users: OrderedDict[str, User] = OrderedDict()  # longest without a sample first
        self._forgotten: list[str] = []

    def __len__(self) -> int:
        return len(self._users)

    def __getitem__(self, user_id: str) -> User:
        return self._users[user_id]

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._users

    def of(self, user_id: str) -> User:
        """The user of a sample, known or new; a new one may take the place of another."""
        user = self._users.get(user_id)
        if user is None:
            user = self._users[user_id] = User()
            self._make_room()
        else:
            self._users.move_to_end(user_id)
        return user

    def get(self, user_id: str) -> User | None:
        """The user, if known."""
        return self._users.get(user_id)

    def ids(self) -> list[str]:
        """Every known user, the longest without a sample first."""
        return list(self._users)

    def take_forgotten(self) -> list[str]:
        """Users forgotten since the last call."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def state(self) -> State:
        """For a checkpoint; lists of users lie end to end, beside their lengths."""
        users = list(self._users.values())
        every = chain.from_iterable  # over the entries in C: this runs between two clicks
        flat = {
            "latest": ints(every(user.latest for user in users)),
            "latest_lengths": ints(len(user.latest) for user in users),
            "actions": np.fromiter(every(user.latest.values() for user in users), np.float64),
            "seen": ints(every(user.seen for user in users)),
            "seen_lengths": ints(len(user.seen) for user in users),
            "seen_actions": np.fromiter(every(user.seen.values() for user in users), np.float64),
            "negative_items": ints(every(user.negatives.values() for user in users)),
            "negative_lengths": ints(len(user.negatives) for user in users),
            "keys": np.concatenate([_NO_KEYS, *(user.keys for user in users)]),
            "weights": np.concatenate([_NO_WEIGHTS, *(user.weights for user in users)]),
            "key_lengths": ints(len(user.keys) for user in users),
            "event_ts_ms": ints(user.event_ts_ms for user in users),
        }
        identities = np.fromiter(every(user.negatives for user in users), np.uint64)
        return {name: tensor_of(array) for name, array in flat.items()} | {
            "ids": packed(list(self._users)),
            "features": packed([user.features for user in users]),
            "negatives": tensor_of(identities.view(np.int64)),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        ids = unpacked(state["ids"], list[str])
        features = unpacked(state["features"], list[dict[str, FeatureValue]])
        latest = _parts(array_of(state["latest"]), state["latest_lengths"])
        actions = _parts(array_of(state["actions"]), state["latest_lengths"])
        seen = _parts(array_of(state["seen"]), state["seen_lengths"])
        taken = _parts(array_of(state["seen_actions"]), state["seen_lengths"])
        identities = _parts(array_of(state["negatives"]).view(np.uint64), state["negative_lengths"])
        passed = _parts(array_of(state["negative_items"]), state["negative_lengths"])
        keys = _parts(array_of(state["keys"]), state["key_lengths"])
        weights = _parts(array_of(state["weights"]), state["key_lengths"])
        times = state["event_ts_ms"].tolist()
        self._users.clear()
        for i, user_id in enumerate(ids):
            self._users[user_id] = User(
                latest=dict(zip(latest[i].tolist(), actions[i].tolist(), strict=True)),
                seen=dict(zip(seen[i].tolist(), taken[i].tolist(), strict=True)),
                negatives=dict(zip(identities[i].tolist(), passed[i].tolist(), strict=True)),
                features=features[i],
                keys=keys[i],
                weights=weights[i],
                event_ts_ms=times[i],
            )
        self._make_room()

    def _make_room(self) -> None:
        while len(self._users) > self._most:
            user_id, _ = self._users.popitem(last=False)
            self._forgotten.append(user_id)


def _parts(array: npt.NDArray[Any], lengths: Tensor) -> list[npt.NDArray[Any]]:
    return np.split(array, np.cumsum(array_of(lengths))[:-1])

"""Finds users whom the model has left behind: they do not act, but it goes on learning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from schemas.vectors import unpack_vector
from towers.arrays import Floats
from towers.users import Users


class UserScan:
    """Goes round all users, a few at a call, as `Publisher.next_scan` does items.

    So the vector of whoever comes back after a while is near what the model says now. A user whose
    record was not made since the start counts as left behind: Redis may have lost it.
    """

    def __init__(self, users: Users, eps: float) -> None:
        """`eps`: so far may a vector be, in cosine distance, from that of the last record."""
        self._users = users
        self._eps = eps
        self._left: list[str] = []  # of this round
        self.found = 0
        """Users found left behind, ever."""

    def behind(self, most: int, embed: Callable[[list[str]], Floats]) -> list[str]:
        """Those of the next `most` users whose record is to be made anew."""
        if not self._left:
            self._left = self._users.ids()[::-1]
        next_ones = [self._left.pop() for _ in range(min(most, len(self._left)))]
        known = {one: self._users[one].told for one in next_ones if one in self._users}
        behind = [user_id for user_id, vector in known.items() if not vector]
        told = [user_id for user_id, vector in known.items() if vector]
        if told:
            then = np.stack([unpack_vector(known[user_id]) for user_id in told])
            # Of unit vectors this is the cosine distance; a user of whom nothing is known has 0.
            distances = ((embed(told) - then) ** 2).sum(axis=1) / 2
            behind += [told[place] for place in np.flatnonzero(distances > self._eps)]
        self.found += len(behind)
        return behind

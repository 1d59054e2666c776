"""Which list a simulated user gets: the experiment's split."""

from __future__ import annotations

from typing import Literal

import xxhash

Arm = Literal["recall", "popular", "random"]

_SHARES: tuple[tuple[Arm, int], ...] = (("recall", 70), ("popular", 15), ("random", 15))
"""Per cent of users."""


def arm_of(user_id: str) -> Arm:
    """The arm of a user: by a hash of the id, so the same in every process and every run."""
    place = xxhash.xxh3_64_intdigest(user_id.encode()) % 100
    for arm, share in _SHARES:
        if place < share:
            return arm
        place -= share
    raise AssertionError(_SHARES)  # the shares make 100

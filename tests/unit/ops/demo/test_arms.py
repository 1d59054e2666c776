"""The split of users into arms."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.demo.arms import arm_of


@pytest.mark.parametrize(
    ("user_id", "arm"),
    [("user-000000", "recall"), ("user-000003", "popular"), ("user-000006", "random")],
)
def test_the_arm_of_a_user_never_changes(user_id: str, arm: str) -> None:
    assert arm_of(user_id) == arm


def test_arms_have_their_shares() -> None:
    n = 20_000
    counts: Counter[str] = Counter(arm_of(f"user-{number:06d}") for number in range(n))
    for arm, share in (("recall", 0.7), ("popular", 0.15), ("random", 0.15)):
        assert abs(counts[arm] - share * n) < 4 * math.sqrt(share * (1 - share) * n)


@given(st.text())
def test_every_user_has_an_arm(user_id: str) -> None:
    assert arm_of(user_id) in ("recall", "popular", "random")

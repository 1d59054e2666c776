from __future__ import annotations

import pytest

from towers.shedding import LEAST_SHARE, PLENTY, negatives_share, replay_share


def test_a_trainer_that_is_not_behind_leaves_nothing_undone() -> None:
    for behind in (0.0, 0.5, 0.99):
        assert [negatives_share(behind, waiting) for waiting in (0, 1, PLENTY)] == [1.0, 1.0, 1.0]
        assert replay_share(behind) == 1.0


def test_of_very_many_negatives_as_many_are_taken_as_of_plenty() -> None:
    assert [negatives_share(0.0, times * PLENTY) for times in (2, 4)] == [0.5, 0.25]
    assert negatives_share(0.0, 10_000 * PLENTY) == LEAST_SHARE


def test_behind_negatives_wait_and_are_thinned_before_replay_is() -> None:
    for behind in (1.0, 3.9):
        assert negatives_share(behind, PLENTY) == 0.0
        assert negatives_share(behind, PLENTY + 1) == LEAST_SHARE
        assert replay_share(behind) == 1.0
    assert [replay_share(behind) for behind in (4.0, 6.0, 8.0, 800.0)] == [1.0, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("waiting", [0, PLENTY, 10 * PLENTY])
def test_who_is_further_behind_leaves_no_less_undone(waiting: int) -> None:
    steps = [number / 4 for number in range(50)]
    for shares in (
        [negatives_share(one, waiting) for one in steps],
        [replay_share(s) for s in steps],
    ):
        assert shares == sorted(shares, reverse=True)

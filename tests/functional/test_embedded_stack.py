"""The real processes on the embedded broker."""

from __future__ import annotations

import pytest
from kafka.errors import MessageSizeTooLargeError

from schemas.status import ROLES, Role
from tests.support import movielens, scenarios
from tests.support.live import Live


def test_a_click_changes_the_next_recall(live: Live) -> None:
    scenarios.a_click_changes_the_next_recall(live)


def test_a_place(live: Live) -> None:
    scenarios.what_is_taken_in_a_place_is_found_by_who_comes_there(live)


def test_filters_similar_items_and_deletion(live: Live) -> None:
    scenarios.filters_similar_items_and_deletion(live)


def test_bad_requests(live: Live) -> None:
    scenarios.bad_requests_name_the_rule_and_the_value(live)


def test_bad_events(live: Live) -> None:
    scenarios.bad_events_become_dead_letters_and_the_stream_goes_on(live)


def test_an_oversized_record(live: Live) -> None:
    """Above our limit and below the broker's; ten megabytes the broker itself refuses."""
    scenarios.an_oversized_record_is_a_dead_letter(live, 1_020_000)
    with pytest.raises(MessageSizeTooLargeError):
        live.send_raw(b"x" * 10_000_000)


@pytest.mark.parametrize("role", ROLES)
def test_kill_9(live: Live, role: Role) -> None:
    scenarios.every_role_survives_kill_9(live, role)


def test_learned_once(live: Live) -> None:
    scenarios.samples_are_learned_once_across_a_trainers_death(live)


def test_movielens(live: Live) -> None:
    movielens.replayed_then_recalled(live)

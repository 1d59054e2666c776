from __future__ import annotations

import pytest

from ops.embedded.hold import ASK_GAP_S, Hold, Step
from ops.embedded.messages import FetchTerms

TERMS = FetchTerms(max_wait_s=0.5, min_bytes=1, topics=frozenset({"t"}))


def test_enough_is_passed_on_at_once() -> None:
    assert Hold(TERMS, 10.0).answered(is_enough=True, now_s=10.0)


def test_too_little_waits_until_the_deadline_and_is_then_given() -> None:
    hold = Hold(TERMS, 10.0)
    assert not hold.answered(is_enough=False, now_s=10.1)
    assert hold.due_s == 10.5
    assert hold.step(10.4) is Step.WAIT
    assert hold.step(10.5) is Step.GIVE


def test_it_asks_when_woken_but_not_within_the_gap() -> None:
    hold = Hold(TERMS, 10.0)
    assert not hold.answered(is_enough=False, now_s=10.0)
    hold.wake()
    assert hold.due_s == 10.0 + ASK_GAP_S
    assert hold.step(10.0) is Step.WAIT
    assert hold.step(10.0 + ASK_GAP_S) is Step.ASK


def test_it_does_nothing_while_a_question_is_under_way() -> None:
    hold = Hold(TERMS, 10.0)
    hold.wake()
    assert hold.due_s is None
    assert hold.step(10.2) is Step.WAIT


def test_a_wake_during_a_question_asks_again() -> None:
    hold = Hold(TERMS, 10.0)
    hold.wake()
    assert not hold.answered(is_enough=False, now_s=10.2)
    assert hold.step(10.2) is Step.ASK
    assert not hold.answered(is_enough=False, now_s=10.21)
    assert hold.step(10.3) is Step.WAIT


@pytest.mark.parametrize("woken_again", [True, False])
def test_woken_at_the_deadline_it_asks_once_more_and_only_once(woken_again: bool) -> None:
    hold = Hold(TERMS, 10.0)
    hold.wake()
    assert not hold.answered(is_enough=False, now_s=10.6)
    assert hold.step(10.6) is Step.ASK
    if woken_again:
        hold.wake()
    assert hold.answered(is_enough=False, now_s=10.7)

"""Which partition a request goes to."""

from __future__ import annotations

from index_service.request_lanes import PROBE_S, RequestLanes


def test_requests_take_turns() -> None:
    lanes = RequestLanes([0, 1, 2])
    assert sorted(lanes.choose(0.0) for _ in range(6)) == [0, 0, 1, 1, 2, 2]


def test_a_silent_one_is_left_out_but_for_a_probe_now_and_then() -> None:
    lanes = RequestLanes([0, 1, 2])
    lanes.silent(1, 10.0)
    assert {lanes.choose(10.5) for _ in range(9)} == {0, 2}
    later = [lanes.choose(10.0 + PROBE_S) for _ in range(9)]
    assert later.count(1) == 1
    lanes.answered(1, 12.0)
    assert [lanes.choose(12.0) for _ in range(9)].count(1) == 3


def test_a_second_try_goes_where_an_answer_came_last() -> None:
    lanes = RequestLanes([0, 1, 2, 3])
    lanes.answered(2, 1.0)
    lanes.answered(3, 2.0)
    lanes.silent(0, 3.0)
    assert lanes.choose(3.0, but_not=[0]) == 3
    assert lanes.choose(3.0, but_not=[0, 3]) == 2
    assert lanes.choose(3.0, but_not=[0, 1, 2, 3]) in (0, 1, 2, 3)


def test_with_one_partition_there_is_no_choice() -> None:
    lanes = RequestLanes([5])
    lanes.silent(5, 0.0)
    assert lanes.choose(0.1) == lanes.choose(0.1, but_not=[5]) == 5

from __future__ import annotations

import numpy as np
import pytest

from towers.arrays import split_bags
from towers.replay import Example, ReplayBuffer


def example(number: int) -> Example:
    count = number % 3
    return Example(
        user_id=f"u{number}",
        item=number,
        weight=number + 0.5,
        latest=list(range(number, number + count)),
        actions=[1.0] * count,
        keys=np.arange(number % 2),
        raw=np.ones(number % 2),
    )


def assert_holds(buffer: ReplayBuffer, numbers: range) -> None:
    found = buffer.examples(np.array(numbers))
    expected = [example(number) for number in numbers]
    assert found.user_ids == [one.user_id for one in expected]
    assert found.items.tolist() == [one.item for one in expected]
    assert found.weights.tolist() == [one.weight for one in expected]
    for row, one in enumerate(expected):
        count = len(one.latest)
        assert found.latest[row, :count].tolist() == one.latest
        assert found.actions[row].tolist() == [1.0] * count + [0.0] * (4 - count)
    bags = split_bags(found.features)
    assert [keys.tolist() for keys, _ in bags] == [one.keys.tolist() for one in expected]


def test_keeps_the_newest_and_takes_the_oldest_pending_first() -> None:
    buffer = ReplayBuffer(replayed=5, history=4)
    taken: list[int] = []
    for number in range(12):
        buffer.extend([example(number)])
        if number % 3 == 2:
            taken += buffer.take(2).tolist()
        assert_holds(buffer, range(buffer.oldest, buffer.appended))
    assert taken == [0, 1, 2, 3, 4, 5, 7, 8]  # the sixth was overwritten while it waited
    assert buffer.overrun == 1
    assert buffer.pending == 3


@pytest.mark.parametrize("size", [3, 5, 9])
def test_comes_back_in_a_buffer_of_any_size(size: int) -> None:
    buffer = ReplayBuffer(replayed=5, history=4)
    for number in range(8):
        buffer.extend([example(number)])
        if number < 4:
            buffer.take(1)
    again = ReplayBuffer(size, history=4)
    again.load(buffer.state())
    kept = min(size, 5)
    assert_holds(again, range(8 - kept, 8))
    assert again.oldest == 8 - kept  # what did not come back is never replayed
    assert again.pending == min(kept, buffer.pending)
    for number in range(8, 12):
        again.extend([example(number)])
    assert_holds(again, range(max(12 - size, 8), 12))


def test_what_waits_needs_no_room_of_what_is_replayed() -> None:
    buffer = ReplayBuffer(replayed=3, history=4, waiting=6)
    for number in range(9):
        buffer.extend([example(number)])
    assert (buffer.pending, buffer.overrun) == (9, 0)
    assert buffer.take(4).tolist() == [0, 1, 2, 3]
    assert buffer.oldest == 1  # three learned ones, and all that wait
    assert_holds(buffer, range(1, 9))
    for number in range(9, 14):
        buffer.extend([example(number)])
    assert (buffer.pending, buffer.overrun) == (9, 1)
    assert buffer.take(100).tolist() == list(range(5, 14))
    assert buffer.oldest == 11
    again = ReplayBuffer(replayed=3, history=4, waiting=6)
    again.load(buffer.state())
    assert_holds(again, range(11, 14))


@pytest.mark.parametrize("at_once", [2, 5, 17])
def test_many_at_once_are_as_one_after_the_other(at_once: int) -> None:
    one, other = (ReplayBuffer(replayed=2, history=4, waiting=3) for _ in range(2))
    for number in range(17):
        one.extend([example(number)])
    for start in range(0, 17, at_once):
        other.extend([example(number) for number in range(start, min(start + at_once, 17))])
    assert_holds(other, range(one.oldest, one.appended))
    counts = [(b.appended, b.learned, b.overrun, b.oldest, b.pending) for b in (one, other)]
    assert counts[0] == counts[1] == (17, 12, 12, 12, 5)

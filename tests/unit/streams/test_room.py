"""What is under way never exceeds the limit, and whoever waits gets room when it is given back."""

from __future__ import annotations

import threading

from streams.room import Room


def test_room_is_taken_up_to_the_limit() -> None:
    room = Room(10)
    assert room.take(6, 0)
    assert room.take(4, 0)
    assert not room.take(1, 0)
    room.give_back(4)
    assert not room.take(5, 0)
    assert room.take(4, 0)
    assert room.taken_bytes == 10


def test_what_is_larger_than_the_limit_goes_alone() -> None:
    room = Room(10)
    assert room.take(1, 0)
    assert not room.take(11, 0)
    room.give_back(1)
    assert room.take(11, 0)
    assert not room.take(1, 0)


def test_threads_wait_for_room_and_all_get_it() -> None:
    room = Room(3)
    most: list[int] = []

    def work() -> None:
        for _ in range(200):
            assert room.take(2, 60)
            most.append(room.taken_bytes)
            room.give_back(2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(most) == 800
    assert max(most) <= 3
    assert room.taken_bytes == 0

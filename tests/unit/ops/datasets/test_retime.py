"""Times of a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from ops.datasets.retime import retime, retime_items
from schemas.events import Event, Item


def _events(times: list[int]) -> list[Event]:
    return [Event("click", "u", "i", f"r{n}", ts_ms, n) for n, ts_ms in enumerate(times)]


def _clock(readings: list[int]) -> tuple[Callable[[], int], list[int]]:
    read: list[int] = []
    rest: Iterator[int] = iter(readings)

    def now_ms() -> int:
        read.append(next(rest))
        return read[-1]

    return now_ms, read


def test_original_keeps_everything() -> None:
    events = _events([5, 3, 9])
    now_ms, read = _clock([])
    assert list(retime(events, "original", now_ms)) == events
    assert read == []


def test_now_is_the_moment_of_taking_the_event_and_nothing_else_changes() -> None:
    now_ms, read = _clock([100, 250])
    stream = retime(_events([5, 3]), "now", now_ms)
    assert read == []
    assert next(stream) == Event("click", "u", "i", "r0", 100, 0)
    assert read == [100]
    assert next(stream) == Event("click", "u", "i", "r1", 250, 1)


@given(st.lists(st.integers(1, 2**53), min_size=1, max_size=30))
def test_order_is_kept_and_time_stands_still_while_the_clock_is_back(readings: list[int]) -> None:
    now_ms, _ = _clock(readings)
    times = [event.ts_ms for event in retime(_events([7] * len(readings)), "now", now_ms)]
    assert times == sorted(times)
    assert times == [max(readings[: n + 1]) for n in range(len(readings))]
    if readings == sorted(readings):
        assert times == readings  # so never in the future


def test_items_too() -> None:
    items = [Item("i", 5, {"a": 1}), Item("j", 6)]
    now_ms, _ = _clock([100, 101])
    assert list(retime_items(items, "now", now_ms)) == [Item("i", 100, {"a": 1}), Item("j", 101)]
    assert list(retime_items(items, "original", now_ms)) == items

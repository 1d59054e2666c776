"""Many viewers, of whom a slow one holds up nobody."""

from __future__ import annotations

import asyncio
import json

from ops.dashboard.history import SERIES, History
from ops.dashboard.hub import Hub


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_slow_viewer_misses_and_is_told_how_many() -> None:
    async def work() -> None:
        hub = Hub(asyncio.get_running_loop())
        with hub.viewer() as quick, hub.viewer() as slow:
            seen = []
            for number in range(5):
                hub.publish(b"%d" % number)
                await settle()
                seen.append(await asyncio.wait_for(quick.next(), 5))
            assert seen == [(b"%d" % number, 0) for number in range(5)]
            assert await asyncio.wait_for(slow.next(), 5) == (b"4", 4)
            hub.publish(b"5")
            assert await asyncio.wait_for(slow.next(), 5) == (b"5", 0)

    asyncio.run(work())


def test_a_newcomer_gets_the_newest_at_once() -> None:
    async def work() -> None:
        hub = Hub(asyncio.get_running_loop(), max_viewers=1)
        hub.publish(b"a")
        hub.publish(b"b")
        await settle()
        with hub.viewer() as viewer:
            assert await asyncio.wait_for(viewer.next(), 5) == (b"b", 0)
            assert hub.full
        assert not hub.full

    asyncio.run(work())


def test_history_keeps_the_newest_points() -> None:
    history = History(points=3)
    for number in range(5):
        history.add(number, {"click_through": number / 3})
    told = json.loads(history.encoded())
    assert told["at_ms"] == [2, 3, 4]
    assert told["series"]["click_through"] == [0.66667, 1.0, 1.3333]
    assert set(told["series"]) == set(SERIES)
    assert told["series"]["recall_p50_ms"] == [None, None, None]

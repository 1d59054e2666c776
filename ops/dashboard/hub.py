"""One stream of messages for many viewers, of whom a slow one misses some and holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Viewer:
    """Keeps the newest message alone; how many it replaced is told with it."""

    def __init__(self) -> None:
        self._message: bytes | None = None
        self._missed = 0
        self._news = asyncio.Event()

    def put(self, message: bytes) -> None:
        """The newest message; on the event loop."""
        self._missed += self._message is not None
        self._message = message
        self._news.set()

    async def next(self) -> tuple[bytes, int]:
        """The newest message once there is one, and how many this viewer has missed before it."""
        await self._news.wait()
        assert self._message is not None
        message, missed = self._message, self._missed
        self._message, self._missed = None, 0
        self._news.clear()
        return message, missed


class Hub:
    """All on one event loop, apart from `publish`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_viewers: int = 100) -> None:
        self._loop = loop
        self._max_viewers = max_viewers
        self._viewers: set[Viewer] = set()
        self.newest: bytes | None = None

    def publish(self, message: bytes) -> None:
        """Give it to every viewer, and to each who comes before the next; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._spread, message)

    @property
    def full(self) -> bool:
        """No room for another viewer."""
        return len(self._viewers) >= self._max_viewers

    @contextmanager
    def viewer(self) -> Iterator[Viewer]:
        """One more viewer, who is told the newest message at once."""
        viewer = Viewer()
        if self.newest is not None:
            viewer.put(self.newest)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def _spread(self, message: bytes) -> None:
        self.newest = message
        for viewer in self._viewers:
            viewer.put(message)

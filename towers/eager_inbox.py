"""An inbox that has its records at hand before it is asked for them."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from schemas.settings import KafkaSettings
from towers.inbox import Inbox, Incoming, Positions

_FETCH_MS = 100
_RETRY_S = 0.2
_AHEAD = 2  # fetches that wait to be polled; the next one waits for room


class EagerInbox(Inbox):
    """Fetches in a thread of its own: kafka-python asks the broker for more only while it is
    polled, so that a record that came during one turn was found by the turn after the next.

    At most three times `fetch` records wait in memory. All methods are for one thread, and the
    figures for any.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: list[str],
        positions: Mapping[str, Mapping[int, int]],
        group: str,
        fetch: int,
    ) -> None:
        super().__init__(kafka, topics, positions, group)
        self._most = fetch
        self._fetched: queue.Queue[list[Incoming] | Exception] = queue.Queue(_AHEAD)
        self._left: deque[Incoming] = deque()
        self._error: Exception | None = None
        self._asked: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]] = (
            queue.SimpleQueue()
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fetch {topics[0]}", daemon=True)
        self._thread.start()

    def poll(self, timeout_ms: int, max_records: int) -> list[Incoming]:
        """See `Inbox.poll`; takes microseconds when there is nothing and the timeout is 0."""
        wait_s = timeout_ms / 1e3
        while len(self._left) < max_records and self._error is None:
            try:
                fetched = self._fetched.get(wait_s > 0 and not self._left, wait_s)
            except queue.Empty:
                break
            if isinstance(fetched, Exception):
                self._error = fetched
            else:
                self._left.extend(fetched)
        if self._error is not None and not self._left:
            error, self._error = self._error, None
            raise error
        many = min(max_records, len(self._left))
        return self._hand_out([self._left.popleft() for _ in range(many)])

    def probe(self) -> None:
        """See `Inbox.probe`."""
        self._ask(super().probe).result()

    def commit(self, positions: Positions, wait: bool) -> None:
        """See `Inbox.commit`."""
        committed = self._ask(lambda: super(EagerInbox, self).commit(positions, wait))
        if wait:
            committed.result()

    def close(self) -> None:
        """Disconnect; what was fetched and not polled is fetched again by the next inbox."""
        self._closing.set()
        self._thread.join()
        super().close()

    def _ask(self, do: Callable[[], None]) -> Future[None]:
        """Have it done by the one thread that may use the consumer."""
        future: Future[None] = Future()
        self._asked.put((do, future))
        return future

    def _run(self) -> None:
        while not self._closing.is_set():
            self._answer()
            found: list[Incoming] | Exception
            try:
                found = self._fetch(_FETCH_MS, self._most)
            except Exception as error:  # the one who polls gets it
                found = error
                self._closing.wait(_RETRY_S)
            if found:
                self._offer(found)
        self._answer()

    def _offer(self, found: list[Incoming] | Exception) -> None:
        while not self._closing.is_set():
            try:
                self._fetched.put(found, timeout=_FETCH_MS / 1e3)
            except queue.Full:
                self._answer()
            else:
                return

    def _answer(self) -> None:
        while not self._asked.empty():
            do, future = self._asked.get()
            try:
                do()
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(None)

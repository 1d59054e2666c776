"""Keeps the index told: from what the publisher finds due to records of `item-vectors`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from schemas.codec import encode
from towers.arrays import Ints
from towers.learner import Learner
from towers.publisher import Current, Publisher

AT_ONCE = 128
"""Vectors sent in one call, at most."""
BUDGET_MS = 2
"""A call begins no further vector after this long, so that a click never waits for the many."""
AT_LEAST = 16
"""But so many it sends in any case: a machine that is busy must not keep the index waiting."""

_RATE_WINDOW_MS = 10_000


class Sender(Protocol):
    """Where vectors go."""

    def send(self, item_id: str, value: bytes | None) -> bool:
        """Send in the background; None deletes. False when that is not possible now."""

    def undelivered(self) -> list[str]:
        """Items whose vector did not arrive after all, each said once."""


class Publishing:
    """One learner's items, kept within the publisher's bounds on the other side of a sender."""

    def __init__(
        self, learner: Learner, publisher: Publisher, sender: Sender, now_ms: Callable[[], int]
    ) -> None:
        self._learner = learner
        self._publisher = publisher
        self._sender = sender
        self._now_ms = now_ms
        self._recent: deque[tuple[int, int]] = deque()  # (when, how many)
        self._queue: Ints = _NONE  # due, and not sent yet
        self.sent = 0
        """Vectors sent so far."""

    @property
    def waiting(self) -> int:
        """Items found due and not sent yet."""
        return len(self._queue)

    def publish(self, steps: int) -> None:
        """Find what is due of what changed, and of a slice of all items for each of the steps that
        were learned since the last call; send as much of it as a call has room for.
        """
        self._take_back_undelivered()
        changed = np.union1d(self._learner.take_changed(), self._queue)
        sliced = self._publisher.next_scan(len(self._learner.vectors), steps) if steps else _NONE
        self._queue = _NONE
        if not len(changed) and not len(sliced):
            return
        self._learner.refresh(sliced)
        now = self._learner.current()
        due = self._publisher.due(changed, now)
        scanned = self._publisher.due_in_scan(sliced, now)
        self._queue = _joined(due, scanned, len(now.versions))
        self.go_on()

    def publish_new(self) -> None:
        """Send items that are new or gone, or whose attributes changed, before all others."""
        now = self._learner.current()
        new = self._publisher.told_otherwise(self._learner.changed, now)
        self._queue = _joined(new, self._queue, len(now.versions))
        self.go_on()

    def go_on(self) -> bool:
        """Send what waits, as much as a call has room for; whether any was sent."""
        if not self.waiting:
            return False
        now = self._learner.current()
        sent = self._send(self._queue[:AT_ONCE], now)
        self._publisher.mark(sent, now)
        self._queue = self._queue[len(sent) :]
        if len(sent):
            self._recent.append((self._now_ms(), len(sent)))
            self.sent += len(sent)
        return bool(len(sent))

    def delete(self, item_ids: set[str]) -> set[str]:
        """Delete items that the learner does not know; returns those that could not be sent."""
        return {item_id for item_id in item_ids if not self._sender.send(item_id, None)}

    def per_second(self) -> float:
        """Vectors sent a second, over the last 10 s."""
        begin = self._now_ms() - _RATE_WINDOW_MS
        recent = list(self._recent)  # one step, while another thread appends
        return sum(count for when, count in recent if when >= begin) * 1_000 / _RATE_WINDOW_MS

    def _send(self, rows: Ints, now: Current) -> Ints:
        at = self._now_ms()
        while self._recent and self._recent[0][0] < at - _RATE_WINDOW_MS:
            self._recent.popleft()
        messages = self._learner.item_vectors(rows, now.counts, at)
        for count, (row, message) in enumerate(zip(rows.tolist(), messages, strict=True)):
            value = encode(message) if now.alive[row] else None
            late = count >= AT_LEAST and self._now_ms() - at >= BUDGET_MS
            if late or not self._sender.send(message.item_id, value):
                return rows[:count]
            self._learner.world.catalogue.told(row)
        return rows

    def _take_back_undelivered(self) -> None:
        known = map(self._learner.world.catalogue.row, self._sender.undelivered())
        rows = np.array([row for row in known if row is not None], np.int64)
        self._publisher.forget(rows)
        self._learner.mark_changed(rows)


def _joined(first: Ints, then: Ints, items: int) -> Ints:
    """The first rows, and then those of the others that are not among them."""
    among: npt.NDArray[np.bool_] = np.zeros(items, np.bool_)
    among[first] = True
    return np.concatenate([first, then[~among[then]]])


_NONE: Ints = np.zeros(0, np.int64)

"""One client connection's requests and answers, in Kafka's order: one fetch waits, all wait."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ops.embedded.arrivals import Arrivals
from ops.embedded.counts import Counts
from ops.embedded.frames import correlation_of, framed, request_header
from ops.embedded.hold import Hold, Step
from ops.embedded.messages import (
    API_VERSIONS,
    END_TXN,
    FETCH,
    PRODUCE,
    fetch_terms,
    is_enough,
    produced,
)
from ops.embedded.rewriting import Rewriter
from schemas.errors import DecodeError

_OUR_CORRELATION = -(2**31)
# ApiVersions 0, no client id: has no effect, and every broker answers it.
_ARE_YOU_THERE = framed(struct.pack(">hhih", API_VERSIONS, 0, _OUR_CORRELATION, -1))


class Timer(Protocol):
    """What `later` gives."""

    def cancel(self) -> None:
        """Don't call any more."""


@dataclass(slots=True)
class _Asked:
    """A request that the broker has still to answer."""

    key: int
    version: int
    correlation: int
    topics: frozenset[str] | None = None
    is_ours: bool = False


@dataclass(slots=True)
class _Held:
    """The fetch that waits, and the last answer to it."""

    asked: _Asked
    frame: bytes
    hold: Hold
    last: bytes = b""


class Exchange:
    """Passes frames both ways and lets fetches wait; no I/O and no clock of its own.

    While a fetch waits, later requests of the connection wait behind it, as on a Kafka broker.
    """

    def __init__(
        self,
        *,
        to_broker: Callable[[bytes], None],
        to_client: Callable[[bytes], None],
        arrivals: Arrivals,
        rewriter: Rewriter,
        counts: Counts,
        now_s: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._to_broker, self._to_client = to_broker, to_client
        self._arrivals, self._rewriter, self._counts = arrivals, rewriter, counts
        self._now_s, self._later = now_s, later
        self._asked: deque[_Asked] = deque()
        self._behind: deque[bytes] = deque()
        self._held: _Held | None = None
        self._timer: Timer | None = None

    @property
    def topics(self) -> frozenset[str] | None:
        """What the waiting fetch reads."""
        return self._held.hold.terms.topics if self._held is not None else frozenset()

    def ask(self, frame: bytes) -> None:
        """A request of the client. Raises DecodeError when it is none."""
        if self._held is not None:
            self._behind.append(frame)
        else:
            self._forward(frame)

    def answer(self, frame: bytes) -> None:
        """An answer of the broker. Raises DecodeError when it is none."""
        if not self._asked or self._asked[0].correlation != correlation_of(frame):
            self._to_client(frame)  # not ours to judge
            return
        asked = self._asked.popleft()
        if self._held is not None and asked is self._held.asked:
            self._fetched(self._held, frame)
            return
        if asked.key in (PRODUCE, END_TXN):
            self._arrivals.came(asked.topics)
        if not asked.is_ours:
            self._to_client(self._rewriter.answer(asked.key, asked.version, frame))

    def wake(self) -> None:
        """Something may have come for the waiting fetch."""
        if self._held is not None:
            self._held.hold.wake()
            self._go_on()

    def close(self) -> None:
        """Forget everything: one of the two ends is gone."""
        self._arrivals.remove(self)
        self._held = None
        self._asked.clear()
        self._behind.clear()
        self._stop_timer()

    def _forward(self, frame: bytes) -> None:
        asked = _Asked(*request_header(frame))
        try:
            if asked.key == FETCH:
                self._begin(asked, frame)
            elif asked.key == PRODUCE:
                self._produce(asked, frame)
            else:
                self._send(asked, frame)
        except DecodeError as error:
            self._counts.misunderstood(asked.key, asked.version, error)
            self._send(asked, frame)

    def _send(self, asked: _Asked, frame: bytes) -> None:
        self._asked.append(asked)
        self._to_broker(frame)

    def _produce(self, asked: _Asked, frame: bytes) -> None:
        what = produced(frame, asked.version)
        asked.topics = what.topics
        if what.is_answered:
            self._send(asked, frame)
            return
        # No answer will tell that it is written; that of a question after it does.
        self._to_broker(frame)
        ours = _Asked(PRODUCE, 0, _OUR_CORRELATION, topics=what.topics, is_ours=True)
        self._send(ours, _ARE_YOU_THERE)

    def _begin(self, asked: _Asked, frame: bytes) -> None:
        self._counts.fetches += 1
        self._counts.fetches_asked += 1
        terms = fetch_terms(frame, asked.version)
        if terms.waits:
            self._held = _Held(asked, frame, Hold(terms, self._now_s()))
            self._arrivals.add(self)  # from before the question: nothing can come unseen
        self._send(asked, frame)

    def _fetched(self, held: _Held, frame: bytes) -> None:
        asked, hold = held.asked, held.hold
        try:
            enough = is_enough(frame, asked.version, hold.terms.min_bytes)
        except DecodeError as error:
            self._counts.misunderstood(asked.key, asked.version, error)
            enough = True
        if hold.answered(enough, self._now_s()):
            self._give(frame)
        else:
            held.last = frame
            self._go_on()

    def _go_on(self) -> None:
        """Do what is due for the waiting fetch, or come back when it is."""
        self._stop_timer()
        held = self._held
        if held is None:
            return
        now_s = self._now_s()
        match held.hold.step(now_s):
            case Step.ASK:
                self._counts.fetches_asked += 1
                self._send(held.asked, held.frame)
            case Step.GIVE:
                self._give(held.last)
            case Step.WAIT if held.hold.due_s is not None:
                self._timer = self._later(held.hold.due_s - now_s, self._go_on)

    def _give(self, frame: bytes) -> None:
        self._arrivals.remove(self)
        self._stop_timer()
        self._held = None
        self._to_client(frame)
        while self._behind and self._held is None:
            self._forward(self._behind.popleft())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

"""Looks at Kafka in a thread of its own: a broker that is slow to answer keeps nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from kafka.errors import KafkaError

from ops.dashboard.letters import LetterTail
from ops.dashboard.snapshot import Letters
from ops.lag import LagReader, LagRow
from schemas.errors import PenstockError
from schemas.settings import Settings

log = logging.getLogger(__name__)

_PERIOD_S = 1.0
_RETRY_S = 2.0
_READ_S = 2.0


class KafkaLook(NamedTuple):
    """What was seen last."""

    lag: list[LagRow]
    letters: Letters | None
    error: str
    """Why nothing newer is known; empty while Kafka answers."""
    at_s: float = 0.0
    """By the monotonic clock."""


class KafkaWatch:
    """Looks once a second until closed; connects anew after an error."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self.latest = KafkaLook([], None, "connecting to Kafka")
        """Replaced as a whole, so any thread may read it."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._look_until_it_fails()
            except (PenstockError, KafkaError, OSError) as error:
                if not self.latest.error:
                    log.warning("kafka=unreadable error=%r action=retrying", str(error))
                self.latest = self.latest._replace(error=str(error))
                self._closing.wait(_RETRY_S)

    def _look_until_it_fails(self) -> None:
        with LagReader(self._settings, timeout_s=_READ_S, now_ms=self._now_ms) as lags:
            letters = LetterTail(self._settings, self._now_ms)
            try:
                while not self._closing.is_set():
                    started_s = time.monotonic()
                    self.latest = KafkaLook(lags.read(), letters.read(), "", started_s)
                    spent_s = time.monotonic() - started_s
                    self._closing.wait(max(0.1, _PERIOD_S - spent_s))
            finally:
                letters.close()

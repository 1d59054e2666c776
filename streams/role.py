"""The processes `label-positives` and `label-negatives`."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Iterable
from typing import Literal

import faust
from mode.utils.locks import Event
from prometheus_client import Metric

from schemas.clock import wall_ms
from schemas.metrics import FromFigures, families
from schemas.settings import Settings
from schemas.status import Reading, RoleReport
from schemas.topics import EVENTS, topic_name
from streams.app import build_app
from streams.labellers import NegativesLabeller, PositivesLabeller
from streams.metrics import NEGATIVES_METRICS, POSITIVES_METRICS
from streams.outbox import Outbox
from streams.sensor import LabelTimes
from streams.too_large import TooLarge

log = logging.getLogger(__name__)

_RESTART_S = 1.0
_DRAIN_S = 3.0
_STOP_S = 3.0
_BEAT_S = 0.5


class LabelRole:
    """One labeller with its Faust app, which is started anew when Kafka has thrown it out."""

    def __init__(
        self, settings: Settings, role: Literal["label-positives", "label-negatives"]
    ) -> None:
        self._settings = settings
        self._role = role
        self._too_large = TooLarge(settings, role, wall_ms)
        self._outbox = Outbox(self._too_large.instead)
        self._labeller: PositivesLabeller | NegativesLabeller
        if role == "label-positives":
            self._labeller = PositivesLabeller(settings, role, wall_ms, self._outbox)
            # A click waits for nothing; an exposure's label is in no hurry, and lingering halves
            # its cost.
            self._linger_s = 0.0
            self._metrics: tuple[FromFigures, ...] = POSITIVES_METRICS
        else:
            self._labeller = NegativesLabeller(settings, role, wall_ms, self._outbox)
            self._linger_s = 0.1
            self._metrics = NEGATIVES_METRICS
        self._times = LabelTimes()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: Event | None = None
        self._stop_asked = False
        self._turned_s: float | None = None

    def run(self) -> None:
        """Label until `stop`."""
        # Exposures that wait are many and make no cycles: looking through them again and again
        # took a quarter of the time.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        asyncio.run(self._main())

    def stop(self) -> None:
        """Finish what is in flight, commit, leave the group and return from `run`."""
        self._stop_asked = True
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    def report(self) -> RoleReport:
        """Ready once partitions are assigned."""
        labeller = self._labeller
        figures = {name: float(count) for name, count in sorted(labeller.counts.items())}
        figures["open_records"] = labeller.open_records
        figures["in_flight"] = len(self._outbox)
        figures["delivery_retries"] = self._outbox.retries
        figures["oversized_labels"] = self._too_large.oversized_labels
        figures["lost_dead_letters"] = self._too_large.lost_dead_letters
        if isinstance(labeller, NegativesLabeller):
            figures["pending_exposures"] = labeller.pending
        ready = bool(labeller.partitions)
        reason = "" if ready else "no partition of events assigned"
        idle_s = 0.0 if self._turned_s is None else time.monotonic() - self._turned_s
        return RoleReport(ready, reason, figures, idle_s)

    def reading(self) -> Reading:
        """The next record of `events` in each partition that is ours."""
        topic = topic_name(self._settings.namespace, EVENTS)
        offsets = self._labeller.next_offsets.copy()
        return Reading(
            topic_name(self._settings.namespace, self._role),
            {(topic, partition): offset for partition, offset in offsets.items()},
        )

    def collect(self) -> Iterable[Metric]:
        """See `schemas.metrics`."""
        yield from families(self._metrics, self.report().figures)
        yield from self._times.collect()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = Event()
        if self._stop_asked:
            return
        beating = asyncio.create_task(self._beat())
        while not self._stopping.is_set():
            try:
                await self._run_app(self._stopping)
            except Exception as error:  # whatever took the app down, the records are not committed
                log.error("app=stopped error=%r action=restart after_s=%s", error, _RESTART_S)
                self._labeller.assign(set())
                await asyncio.sleep(_RESTART_S)
        beating.cancel()

    async def _beat(self) -> None:
        """Show that the loop turns, also while Kafka is away."""
        while True:
            self._turned_s = time.monotonic()
            await asyncio.sleep(_BEAT_S)

    async def _run_app(self, stopping: Event) -> None:
        app = build_app(self._settings, self._role, self._labeller, self._linger_s, self._times)
        self._outbox.connect(app)
        try:
            await app.start()
            await app.wait(stopping)
            if self._outbox:
                await asyncio.wait_for(self._outbox.drain(), _DRAIN_S)
        except TimeoutError:
            log.warning("stop=undelivered records=%d", len(self._outbox))
        finally:
            await self._stop_app(app)

    async def _stop_app(self, app: faust.App) -> None:
        """Commit and leave the group; without a broker, not: Faust would wait for it for ever."""
        try:
            await asyncio.wait_for(app.stop(), _STOP_S)
        except TimeoutError:
            log.warning("stop=without_goodbye after_s=%s", _STOP_S)

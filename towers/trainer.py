"""The process `trainer`: samples and items in, user records and item vectors out."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TypeVar

import torch
from prometheus_client import Metric

from schemas.clock import wall_ms
from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import Settings
from schemas.status import Reading, RoleReport
from schemas.topics import ITEM_VECTORS, ITEMS, NEGATIVES, POSITIVES, topic_name
from towers.arrays import unpacked
from towers.checkpoint import CheckpointStore
from towers.core import Core, Links
from towers.eager_inbox import EagerInbox
from towers.inbox import Positions
from towers.lead import Lead
from towers.learner import Learner
from towers.metrics import TrainerMetrics
from towers.published_log import read_back
from towers.redis_writer import RedisWriter, connect_redis
from towers.saver import CheckpointSaver
from towers.session import POLL_RECORDS, Session
from towers.vector_writer import VectorWriter
from towers.wakefulness import Wakefulness
from towers.warm_start import read_warm_start

log = logging.getLogger(__name__)

_RETRY_S = 0.5
_STANDBY = "standby: another trainer of this epoch leads"
_STANDBY_S = 0.1

T = TypeVar("T")
_SWITCH_S = 0.0005


class Trainer:
    """Waits until it leads, restores, connects, and works until it is stopped.

    It waits for Kafka and Redis, and never ends because of them. A trainer whose lead has passed
    to another begins again as a standby, with what that one's checkpoint says.
    """

    def __init__(self, settings: Settings, now_ms: Callable[[], int] = wall_ms) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._stopping = threading.Event()
        self._store = CheckpointStore(settings)
        self._metrics = TrainerMetrics()
        self._core = self._new_core()
        self._session: Session | None = None
        self._reason = "starting"

    def run(self) -> None:
        """Train until `stop`. Raises CheckpointError when no checkpoint fits the settings."""
        torch.set_num_threads(1)
        # The threads of the Kafka clients would else keep a click waiting 5 ms at a time.
        sys.setswitchinterval(_SWITCH_S)
        since_ms = self._now_ms()
        lead = self._patiently(lambda: Lead(self._settings, since_ms, self._now_ms))
        if lead is None:
            return
        try:
            while not self._stopping.is_set():
                if lead.held:
                    self._work(lead)
                    continue
                if self._reason != _STANDBY:
                    self._reason = _STANDBY
                    log.info("trainer=standby epoch=%d", self._settings.towers.epoch)
                self._stopping.wait(_STANDBY_S)
        finally:
            lead.close()

    def _work(self, lead: Lead) -> None:
        """Restore, and train while this trainer leads."""
        positions = self._restore()
        gc.freeze()  # what was restored stays, too
        mind = Wakefulness()
        links = self._patiently(lambda: self._try_to_connect(positions, mind))
        if links is None:
            return
        saver = CheckpointSaver(self._store)
        session = Session(self._settings, self._core, links, saver, self._metrics, self._now_ms)
        self._session = session
        log.info("trainer=running step=%d", self._core.learner.step)
        while lead.held and not self._stopping.is_set():
            mind.awake()
            session.turn()
        leads = lead.held
        if leads:
            session.finish()
            log.info("trainer=stopped step=%d", self._core.learner.step)
        else:
            session.abandon()
            log.warning("trainer=deposed step=%d action=standby", self._core.learner.step)
        self._session, self._reason = None, _STANDBY
        self._core.redis.close()
        if not leads:
            self._core = self._new_core()

    def stop(self) -> None:
        """Finish the turn, write a checkpoint and return from `run`."""
        self._stopping.set()

    def report(self) -> RoleReport:
        """Ready once everything that was on the topics at the start has been taken in."""
        core = self._core
        figures = core.learner.figures() | {
            "published": float(core.publisher.published),
            "drift_max": core.publisher.drift_max,
            "drift_limit": self._settings.trainer.scan_eps,
            "checkpoint_every_s": self._settings.trainer.checkpoint_every_s,
            "redis_errors": float(core.redis.errors),
            "users_waiting": float(len(core.users.owed)),
        }
        session = self._session
        if session is None:
            return RoleReport(False, self._reason, figures)
        reason = session.reason()
        idle_s = time.monotonic() - session.turned_s
        return RoleReport(not reason, reason, figures | session.figures(), idle_s)

    def reading(self) -> Reading:
        """The next sample or item of each partition; nowhere while it does not lead."""
        session = self._session
        return Reading(
            f"{self._settings.namespace}.trainer", {} if session is None else session.next_offsets()
        )

    def collect(self) -> Iterable[Metric]:
        """See `towers.metrics`."""
        return self._metrics.collect(self.report().figures)

    def _restore(self) -> Positions:
        state = self._store.load()
        if state is None:
            log.info("checkpoint=none folder=%s action=from_the_beginning", self._store.folder)
            return {}
        self._core.learner.load(state["learner"])
        self._core.publisher.load(state["publisher"])
        self._core.users.owe(unpacked(state["owed"], list[str]))
        self._metrics.restored = self._core.learner.figures()
        log.info("checkpoint=restored step=%d", self._core.learner.step)
        positions: Positions = unpacked(state["positions"], Positions)
        return positions

    def _patiently(self, connect: Callable[[], T]) -> T | None:
        """What `connect` gives, however long it takes; None when `stop` came first."""
        while not self._stopping.is_set():
            try:
                return connect()
            except (BrokerUnavailable, TopicError) as error:
                if str(error) != self._reason:  # once a reason, not once a try
                    log.warning("kafka=waiting error=%r action=retrying", str(error))
                self._reason = str(error)
                self._stopping.wait(_RETRY_S)
        return None

    def _new_core(self) -> Core:
        settings = self._settings
        self._metrics.restored = {}
        learner = Learner(settings, read_warm_start(settings.towers))
        redis = RedisWriter(settings.redis, connect_redis(settings.redis), self._now_ms)
        return Core.new(settings, learner, redis, self._now_ms)

    def _try_to_connect(self, positions: Positions, mind: Wakefulness) -> Links:
        settings, namespace = self._settings, self._settings.namespace
        positives, items, negatives, vectors = (
            topic_name(namespace, topic) for topic in (POSITIVES, ITEMS, NEGATIVES, ITEM_VECTORS)
        )
        group = f"{namespace}.trainer"
        with ExitStack() as undo:
            learner, publisher = self._core.learner, self._core.publisher
            told = read_back(settings, positions.get(vectors, {}), learner, publisher)
            first = EagerInbox(settings.kafka, [positives, items], positions, group, POLL_RECORDS)
            undo.callback(first.close)
            later = EagerInbox(settings.kafka, [negatives], positions, group, fetch=1)
            undo.callback(later.close)
            links = Links(first, later, VectorWriter(settings, mind.awake), told)
            undo.pop_all()
        return links

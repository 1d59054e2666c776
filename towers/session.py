"""The trainer while it is connected: one short turn after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import Settings
from schemas.topics import ITEM_VECTORS, ITEMS, NEGATIVES, POSITIVES, topic_name
from schemas.vectors import ANYONE
from towers.arrays import State, packed
from towers.inbox import Inbox, Incoming, Positions
from towers.intake import Intake
from towers.latency import LatencyWindow
from towers.learner import Learner
from towers.published_log import ReadBack, read_back
from towers.publisher import Publisher
from towers.publishing import Publishing
from towers.saver import CheckpointSaver
from towers.user_writer import UserWriter
from towers.vector_writer import VectorWriter

log = logging.getLogger(__name__)

_IDLE_MS = 20  # an idle turn waits so long for a positive
_LATER_PAUSE_S = 0.05  # to find no negatives costs as much as to learn a click: not every turn
_POLL_RECORDS = 64
_OUTAGE_WAIT_S = 0.2
_PROBE_S = 5.0  # silence after which the broker is asked whether it is there
_FLUSH_S = 1.0


class Core(NamedTuple):
    """What a checkpoint holds, apart from positions."""

    learner: Learner
    publisher: Publisher
    users: UserWriter


class Links(NamedTuple):
    """The connections to Kafka."""

    first: Inbox
    """Positives and items."""
    later: Inbox
    """Negatives."""
    vectors: VectorWriter
    read_back: ReadBack


class Session:
    """Refreshes users, learns a step, publishes, and reads negatives when nothing else waits.

    A new click waits for one turn at most, so what a turn does is bounded.
    """

    def __init__(
        self,
        settings: Settings,
        core: Core,
        links: Links,
        saver: CheckpointSaver,
        now_ms: Callable[[], int],
    ) -> None:
        namespace = settings.namespace
        self._positives = topic_name(namespace, POSITIVES)
        self._negatives = topic_name(namespace, NEGATIVES)
        self._vectors = topic_name(namespace, ITEM_VECTORS)
        self._save_every_s = settings.trainer.checkpoint_every_s
        self._core, self._links, self._saver, self._now_ms = core, links, saver, now_ms
        self._intake = Intake(core.learner, topic_name(namespace, ITEMS))
        self._publishing = Publishing(core.learner, core.publisher, links.vectors, now_ms)
        self._latency = LatencyWindow()
        self._acted: set[str] = set()  # users whose action has not reached Redis yet
        self._strangers = set(links.read_back.strangers)
        self._told = links.read_back.positions
        self._kafka_down = False
        self._next_later_s = 0.0
        self._finishing = False
        self._unsure = False  # of what is published, since an outage
        self._settings = settings
        self._heard_s = self._saved_s = self._next_save_s = time.monotonic()
        self.caught_up = False
        """All that was on the topics at the start has been taken in."""

    def turn(self) -> None:
        """Take in what came, and do a bounded piece of everything that follows from it."""
        core = self._core
        busy = core.learner.pending or core.users.ready or self._publishing.waiting
        acted = self._intake.take(self._poll(self._links.first, 0 if busy else _IDLE_MS))
        self._acted.update(acted)
        core.users.owe(acted)
        self._refresh_users()
        stepped = core.learner.learn() is not None
        if stepped:
            core.users.owe([ANYONE])  # written in the next turn, behind those who act
        self._publishing.publish(scan=stepped)
        self._take_negatives()
        self._note_progress()
        if self._unsure or self._links.vectors.lost:
            self._read_back()
        self._save_when_due()

    def finish(self) -> None:
        """Leave everything as a restart wants it: users written, vectors sent, checkpoint."""
        self._finishing = True
        self._refresh_users()
        self._saver.settle(wait=True)
        self._start_saving()
        self._saver.close()
        self._disconnect()

    def abandon(self) -> None:
        """Leave everything to the trainer that leads now: write no checkpoint."""
        self._saver.close()
        self._disconnect()

    def _disconnect(self) -> None:
        self._links.first.close()
        self._links.later.close()
        self._links.vectors.close()

    def reason(self) -> str:
        """Why the trainer is not ready; empty when it is."""
        if not self.caught_up:
            return f"catching up: {self._links.first.missing_at_start()} records to go"
        if self._core.users.failing:
            return f"redis is failing: {len(self._core.users.owed)} users wait"
        return "kafka is unreachable" if self._kafka_down else ""

    def figures(self) -> dict[str, float]:
        """Counters and gauges by name; from any thread."""
        return {
            "lag_records": float(self._links.first.waiting(self._positives)),
            "negatives_lag_records": float(self._links.later.waiting()),
            "undecodable": float(self._intake.undecodable),
            "publish_per_s": self._publishing.per_second(),
            "publish_waiting": float(self._publishing.waiting),
            "checkpoint_age_s": time.monotonic() - self._saved_s,
            "click_to_user_vector_p50_ms": self._latency.percentile(50),
            "click_to_user_vector_p99_ms": self._latency.percentile(99),
        }

    def _poll(self, inbox: Inbox, timeout_ms: int, records: int = _POLL_RECORDS) -> list[Incoming]:
        try:
            found = inbox.poll(timeout_ms, records)
            silent_s = time.monotonic() - self._heard_s
            if not found and (self._kafka_down or silent_s > _PROBE_S):
                inbox.probe()  # a poll of a dead broker just finds nothing
                found = inbox.poll(0, records)
        except BrokerUnavailable as error:
            if not self._kafka_down:  # once an outage, not once a turn
                log.warning("kafka=unreachable error=%r action=retrying", str(error))
            self._kafka_down = True
            time.sleep(_OUTAGE_WAIT_S)
            return []
        if found or self._kafka_down or silent_s > _PROBE_S:
            self._heard_s = time.monotonic()
        if self._kafka_down:
            self._kafka_down, self._unsure = False, True
            log.info("kafka=back")
        return found

    def _take_negatives(self) -> None:
        if self._core.learner.pending or self._links.first.waiting(self._positives):
            return
        if time.monotonic() < self._next_later_s:
            return
        # One record: it may hold thousands of samples.
        found = self._poll(self._links.later, 0, records=1)
        self._core.users.owe(self._intake.take(found))
        if not found:
            self._next_later_s = time.monotonic() + _LATER_PAUSE_S

    def _refresh_users(self) -> None:
        written = self._core.users.write(self._core.learner.user_records)
        at = self._now_ms()
        for user_id, record in written:
            if user_id in self._acted:
                self._acted.discard(user_id)
                self._latency.add(at - record.event_ts_ms)

    def _note_progress(self) -> None:
        if not self.caught_up and not self._links.first.missing_at_start():
            self.caught_up = True
            log.info("trainer=caught_up items=%d", len(self._core.learner.vectors))
            self._core.learner.warm.say(len(self._core.learner.vectors))
        if self.caught_up and self._strangers:
            rows = self._core.learner.world.catalogue
            unknown = {one for one in self._strangers if rows.row(one) is None}
            self._strangers = self._publishing.delete(unknown)

    def _read_back(self) -> None:
        """After an outage: a broker may have lost vectors that it had acknowledged."""
        if not self._links.vectors.flush(_FLUSH_S):
            return
        learner, publisher, _ = self._core
        lost, self._links.vectors.lost = self._links.vectors.lost, False
        try:
            told = read_back(self._settings, self._ends(), learner, publisher, afresh=lost)
        except (BrokerUnavailable, TopicError) as error:
            log.warning("item_vectors=unread error=%r action=retrying", str(error))
            self._links.vectors.lost = lost
            return
        self._told, self._unsure = told.positions, False
        self._links.vectors.begin(told.positions)

    def _ends(self) -> dict[int, int]:
        return self._told | self._links.vectors.positions()

    def _positions(self) -> Positions:
        return {**self._links.first.positions, **self._links.later.positions}

    def _save_when_due(self) -> None:
        self._saver.settle()
        now_s = time.monotonic()
        if self._saver.busy or now_s < self._next_save_s:
            return
        self._next_save_s = now_s + self._save_every_s
        self._start_saving()

    def _start_saving(self) -> None:
        if not self._links.vectors.flush(_FLUSH_S):
            # What is published must be known before it is written down.
            log.warning("checkpoint=postponed reason=item_vectors_not_acknowledged")
            return
        positions = {topic: dict(parts) for topic, parts in self._positions().items()}
        self._saver.start(self._state(positions), lambda: self._note_saved(positions))

    def _note_saved(self, positions: Positions) -> None:
        self._saved_s = time.monotonic()
        for inbox in (self._links.first, self._links.later):
            own = {topic: positions[topic] for topic in inbox.positions}
            inbox.commit(own, wait=self._finishing)

    def _state(self, positions: Positions) -> State:
        return {
            "learner": self._core.learner.state(),
            "publisher": self._core.publisher.state(),
            "owed": packed(self._core.users.owed),
            "positions": packed({**positions, self._vectors: self._ends()}),
        }

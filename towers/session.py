"""The trainer while it is connected: one short turn after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import Settings
from schemas.topics import ITEM_VECTORS, ITEMS, POSITIVES, topic_name
from schemas.vectors import ANYONE
from towers.arrays import State, packed
from towers.core import Core, Links
from towers.inbox import Positions, copied
from towers.intake import Intake
from towers.latency import LatencyWindow
from towers.metrics import TrainerMetrics
from towers.negatives import Negatives
from towers.polls import Polls
from towers.published_log import read_back
from towers.publishing import Publishing
from towers.publishing_schedule import PublishingSchedule
from towers.saver import CheckpointSaver
from towers.shedding import negatives_share, replay_share

log = logging.getLogger(__name__)

_IDLE_MS = 20  # an idle turn waits so long for a positive
_LATER_PAUSE_S = 0.05  # to find no negatives costs as much as to learn a click: not every turn
POLL_RECORDS = 64
_FLUSH_S = 1.0


class Session:
    """Refreshes users, learns a step, publishes, and reads negatives when nothing else waits.

    A new click waits for one piece of a turn's work at most: between them, whoever acted is served.
    """

    def __init__(
        self,
        settings: Settings,
        core: Core,
        links: Links,
        saver: CheckpointSaver,
        metrics: TrainerMetrics,
        now_ms: Callable[[], int],
    ) -> None:
        namespace = settings.namespace
        self._positives = topic_name(namespace, POSITIVES)
        self._items = topic_name(namespace, ITEMS)
        self._vectors = topic_name(namespace, ITEM_VECTORS)
        self._save_every_s = settings.trainer.checkpoint_every_s
        self._core, self._links, self._saver, self._now_ms = core, links, saver, now_ms
        self._intake = Intake(core.learner, self._items)
        self._publishing = Publishing(core.learner, core.publisher, links.vectors, now_ms)
        self._schedule = PublishingSchedule(settings.trainer, self._publishing)
        self._metrics = metrics
        self._latency = LatencyWindow()
        self._acted: set[str] = set()  # users whose action has not reached Redis yet
        self._strangers = set(links.read_back.strangers)
        self._told = links.read_back.positions
        self._polls, self._negatives = Polls(), Negatives()
        self._before_record: Positions = {}
        self._next_later_s = self._next_step_s = 0.0
        self._finishing = False
        self._settings = settings
        self._saved_s = self._next_save_s = time.monotonic()
        self._saved: object = None  # what tells the state that is on the disk from another
        self.caught_up = False
        """All that was on the topics at the start has been taken in."""
        self.turned_s = self._saved_s
        """When the last turn began (monotonic)."""

    def turn(self) -> None:
        """Take in what came, and do a bounded piece of everything that follows from it."""
        self.turned_s = time.monotonic()
        self._serve(self._idle_ms())
        self._take_negatives()
        self._core.users.write_patient(self._core.learner.user_records)
        self._serve_more()
        stepped = self._learn_when_due()
        self._write_contexts()
        if stepped:
            self._core.users.owe_later([ANYONE, *self._users_behind()])
            self._schedule.note_step()
        self._serve_more()
        self._schedule.turn(self._serve_more)
        self._note_progress()
        if self._polls.was_away or self._links.vectors.lost:
            self._read_back()
        self._core.users.owe_later(self._core.learner.take_forgotten_users())
        self._save_when_due()

    def finish(self) -> None:
        """Leave everything as a restart wants it: users written, vectors sent, checkpoint."""
        self._finishing = True
        self._core.users.hurry()
        self._refresh_users()
        while self._write_contexts(hurry=True):
            pass
        self._saver.settle(wait=True)
        self._start_saving()
        self._saver.close()
        self._links.close()

    def abandon(self) -> None:
        """Leave everything to the trainer that leads now: write no checkpoint."""
        self._saver.close()
        self._links.close()

    def reason(self) -> str:
        """Why the trainer is not ready; empty when it is."""
        if not self.caught_up:
            return f"catching up: {self._links.first.missing_at_start()} records to go"
        if self._core.redis.failing:
            return f"redis is failing: {len(self._core.users.owed)} users wait"
        return "kafka is unreachable" if self._polls.down else ""

    def figures(self) -> dict[str, float]:
        """Counters and gauges by name; from any thread."""
        return {
            "lag_records": float(self._links.first.waiting(self._positives)),
            "negatives_lag_records": float(self._links.later.waiting()),
            "thinned_negatives": float(self._negatives.thinned),
            "undecodable": float(self._intake.undecodable),
            "publish_per_s": self._publishing.per_second(),
            "publish_waiting": float(self._publishing.waiting),
            "publishes": float(self._publishing.sent),
            "checkpoint_age_s": time.monotonic() - self._saved_s,
            "click_to_user_vector_p50_ms": self._latency.percentile(50),
            "click_to_user_vector_p99_ms": self._latency.percentile(99),
        }

    def next_offsets(self) -> dict[tuple[str, int], int | None]:
        """By topic and partition, the record to be taken in next; from any thread."""
        return {
            (topic, partition): offset
            for topic, parts in self._positions().items()
            for partition, offset in parts.items()
        }

    def _idle_ms(self) -> int:
        """How long a turn waits for a positive, when there is none."""
        users = self._core.users
        if users.urgent or users.due or self._negatives or self._behind >= 1:
            return 0
        left_s = [_IDLE_MS / 1e3, self._schedule.left_s]
        if self._core.learner.pending:
            left_s.append(self._next_step_s - time.monotonic())
        return max(0, round(1e3 * min(left_s)))

    def _serve(self, wait_ms: int = 0) -> None:
        """Take in what came, and write the records of those who acted."""
        found = self._polls.poll(self._links.first, wait_ms, POLL_RECORDS)
        acted = self._intake.take(found)
        self._acted.update(acted)
        self._core.users.owe(acted)
        self._refresh_users()
        if any(record.topic == self._items for record in found):
            self._schedule.send_new()

    def _serve_more(self) -> None:
        """Between two pieces of work; not while so many come that learning is behind."""
        if self._core.learner.pending < self._settings.trainer.batch:
            self._serve()

    @property
    def _behind(self) -> float:
        """Batches of positives that wait; at least one, if some were not even polled."""
        pending = self._core.learner.pending / self._settings.trainer.batch
        return max(pending, float(self._links.first.waiting(self._positives) > 0))

    def _learn_when_due(self) -> bool:
        """A step, when it fills a batch or the one before is long enough ago; whether it was."""
        trainer, learner, now_s = self._settings.trainer, self._core.learner, time.monotonic()
        if now_s < self._next_step_s and learner.pending < trainer.batch:
            return False
        before, took_s, began_s = learner.step, 0.0, time.perf_counter()
        for _ in learner.learning(trainer.batch, replay_share(self._behind)):
            took_s += time.perf_counter() - began_s
            self._serve_more()
            began_s = time.perf_counter()
        if learner.step == before:
            return False
        self._metrics.step_seconds.observe(took_s + time.perf_counter() - began_s)
        self._next_step_s = now_s + trainer.learn_every_ms / 1e3
        return True

    def _users_behind(self) -> list[str]:
        """Whose record a step made untrue; not looked for while who acted waits."""
        waits = self._behind >= 1 or self._core.users.crowded
        return [] if waits else self._core.learner.users_behind(self._settings.trainer.scan_users)

    def _take_negatives(self) -> None:
        """A part of a record, unless positives wait."""
        users, waiting = self._core.users, self._links.later.waiting()
        share = negatives_share(self._behind, waiting)
        if not share or users.crowded:
            return
        if not self._negatives and time.monotonic() >= self._next_later_s:
            self._before_record = copied(self._links.later.positions)
            found = self._polls.poll(self._links.later, 0, records=1)
            self._negatives.add(self._intake.batches(found), share)
            if not found:
                self._next_later_s = time.monotonic() + _LATER_PAUSE_S
        users.owe_later(self._core.learner.observe(self._negatives.next()))

    def _refresh_users(self) -> None:
        users = self._core.users
        while users.urgent:
            written = users.write(self._core.learner.user_records)
            at = self._now_ms()
            for user_id, record in written:
                if user_id in self._acted:
                    self._acted.discard(user_id)
                    late_ms = at - record.event_ts_ms
                    self._latency.add(late_ms)
                    # A producer's clock may be ahead, and a sum must not go back.
                    self._metrics.click_to_user_vector_seconds.observe(max(0, late_ms) / 1e3)

    def _write_contexts(self, hurry: bool = False) -> bool:
        learner, contexts = self._core.learner, self._core.contexts
        contexts.owe(learner.take_changed_contexts())
        return contexts.write(learner.context_records, hurry)

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
        learner, publisher = self._core.learner, self._core.publisher
        lost, self._links.vectors.lost = self._links.vectors.lost, False
        try:
            told = read_back(self._settings, self._ends(), learner, publisher, afresh=lost)
        except (BrokerUnavailable, TopicError) as error:
            log.warning("item_vectors=unread error=%r action=retrying", str(error))
            self._links.vectors.lost = lost
            return
        self._told, self._polls.was_away = told.positions, False
        self._links.vectors.begin(told.positions)

    def _ends(self) -> dict[int, int]:
        return self._told | self._links.vectors.positions()

    def _positions(self) -> Positions:
        """What to read from after a restart: a record in hand again, of which each sample counts
        once.
        """
        later = self._before_record if self._negatives else self._links.later.positions
        return copied({**self._links.first.positions, **later})

    def _save_when_due(self) -> None:
        self._saver.settle()
        now_s = time.monotonic()
        if self._saver.busy or now_s < self._next_save_s:
            return
        self._next_save_s = now_s + self._save_every_s
        if self._saved == self._mark(self._positions()):
            self._saved_s = now_s  # nothing came since
        else:
            self._start_saving()

    def _start_saving(self) -> None:
        if not self._links.vectors.flush(_FLUSH_S):
            # What is published must be known before it is written down.
            log.warning("checkpoint=postponed reason=item_vectors_not_acknowledged")
            return
        positions = self._positions()
        mark = self._mark(positions)
        self._saver.start(self._state(positions), lambda: self._note_saved(positions, mark))

    def _note_saved(self, positions: Positions, mark: object) -> None:
        self._saved_s, self._saved = time.monotonic(), mark
        for inbox in (self._links.first, self._links.later):
            own = {topic: positions[topic] for topic in inbox.positions}
            inbox.commit(own, wait=self._finishing)

    def _mark(self, positions: Positions) -> object:
        """The same as before where a checkpoint would say the same."""
        return positions, self._ends(), self._core.users.owed, self._core.learner.figures()

    def _state(self, positions: Positions) -> State:
        return {
            "learner": self._core.learner.state(),
            "publisher": self._core.publisher.state(),
            "owed": packed(self._core.users.owed),
            "positions": packed({**positions, self._vectors: self._ends()}),
        }

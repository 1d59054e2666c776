"""Penstock itself, in memory: labels, learner, publisher, shards and recall, without Kafka.

Every part is the one that serves. In place of the topics `item-vectors` and the keys of Redis
stand dictionaries of the same bytes, so that whatever isn't written is not served either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from index_service.item_changes import decode_change
from index_service.node_index import NodeIndex
from index_service.recall_core import RecallCore
from index_service.users import User, decode_context, decode_user, in_place, or_anyone
from ops.evaluation.recommender import Ask
from ops.evaluation.sync import SyncClock, SyncInterval
from schemas.codec import encode
from schemas.contexts import context_values
from schemas.errors import SettingsError
from schemas.events import Event, Item
from schemas.recall import RecallRequest
from schemas.samples import SampleBatch
from schemas.settings import Settings
from schemas.topics import partition_of
from schemas.vectors import ANYONE
from streams.negatives import NegativesJoin
from streams.positives import label_positives
from towers.learner import Learner
from towers.publisher import Publisher
from towers.publishing import Publishing
from towers.warm_start import COLD, WarmStart

_PARTITION = 0  # of events: one labeller sees all


class PenstockChain:
    """A `Recommender`, in the order of a trainer's turn: users are refreshed, then a step learned.

    A turn comes before each list, as nobody could see one in between; it learns a step once
    `trainer.batch` positives wait. What is published reaches the index, and
    what is written of users reaches recall, at the sync interval: at once when that is `live`.
    A user's record is encoded when it is first needed: asked for, or about to be outdated by a
    step. Until then nothing changes what would be in it, but the trend's clock, which recall takes
    from the index when that is later.
    """

    def __init__(self, settings: Settings, sync: SyncInterval, warm: WarmStart = COLD) -> None:
        self._settings = settings
        self._ts_ms = 0
        self._learner = Learner(settings, warm)
        self._vectors = _VectorTopic()
        publisher = Publisher(settings)
        self._publishing = Publishing(self._learner, publisher, self._vectors, self._now_ms)
        self._index = NodeIndex(settings, range(settings.topics.shards), InlineExecutor())
        self._core = RecallCore(settings, self._index)
        self._join = NegativesJoin[int](settings.labelling, self._now_ms)
        self._sync = SyncClock(sync)
        self._arrived: list[Item] = []
        self._labelled: list[SampleBatch] = []
        self._owed: dict[str, None] = {}  # users whose record is no longer true
        self._written: dict[str, bytes] = {}  # records that recall can't see yet
        self._served: dict[str, bytes] = {}
        self._owed_contexts: dict[str, None] = {}  # values whose record is no longer true
        self._contexts: dict[str, bytes] = {}  # served records, by value
        self._taken = 0

    def recommend(self, ask: Ask) -> list[str]:
        """See `Recommender`. Raises SettingsError when the settings allow no list so long."""
        self._go_to(ask.ts_ms)
        self._turn()
        place = list(context_values(ask.context, self._settings.features.users))
        if self._sync.due(ask.ts_ms):
            # Live, others' records are written when they are asked for: nobody reads them before.
            self._write_users([ask.user_id, ANYONE] if self._sync.live else list(self._owed))
            self._write_contexts(
                [value for _, value in place] if self._sync.live else list(self._owed_contexts)
            )
            self._served |= self._written
            self._written.clear()
            self._vectors.deliver(self._index, self._settings.topics.shards)
        request = RecallRequest(
            k=ask.k,
            user_id=ask.user_id,
            exclude=list(ask.exclude),
            exclude_seen=False,
            context=dict(ask.context),
        )
        reply = self._core.answer(request, self._user(ask.user_id, place))
        if reply.error is not None:
            msg = f"{reply.error.rule}; got {reply.error.value}; {reply.error.advice}"
            raise SettingsError(msg)
        return [item.item_id for item in reply.items]

    def arrive(self, items: Sequence[Item]) -> None:
        """See `Recommender`."""
        self._arrived.extend(items)

    def take(self, events: Sequence[Event]) -> None:
        """See `Recommender`."""
        self._go_to(max(event.ts_ms for event in events))
        self._taken += 1
        rules = self._settings.labelling
        self._labelled.append(label_positives(events, rules, _PARTITION, self._taken))
        negatives = self._join.add(events, self._taken).negatives
        for taken, shown in negatives.items():
            self._labelled.append(SampleBatch([], _PARTITION, taken, passed_over=shown))

    def _turn(self) -> None:
        """What a trainer does with all that came since the last list."""
        if self._arrived:
            self._learner.put_items(self._arrived)
            self._arrived = []
        if self._labelled:
            self._owed |= dict.fromkeys([*self._learner.observe(self._labelled), ANYONE])
            self._learner.settle()
            self._owed_contexts |= dict.fromkeys(self._learner.take_changed_contexts())
            self._labelled = []
        learn = self._learner.pending >= self._settings.trainer.batch
        if learn:
            self._write_users(list(self._owed))
            self._learner.learn_many(self._settings.trainer.batch)
            behind = self._learner.users_behind(self._settings.trainer.scan_users)
            self._owed |= dict.fromkeys([ANYONE, *behind])
        self._publish(steps=int(learn))

    def _publish(self, steps: int) -> None:
        self._publishing.publish(steps)
        while self._publishing.waiting:  # what one turn has no room for
            self._publishing.go_on()

    def _write_users(self, user_ids: list[str]) -> None:
        owed = [user_id for user_id in user_ids if user_id in self._owed]
        if not owed:
            return
        for user_id, record in self._learner.user_records(owed, self._ts_ms):
            self._written[user_id] = encode(record)
        for user_id in owed:
            del self._owed[user_id]

    def _write_contexts(self, values: list[str]) -> None:
        owed = [value for value in values if value in self._owed_contexts]
        for value, record in self._learner.context_records(owed, self._ts_ms):
            self._contexts[value] = encode(record)
            del self._owed_contexts[value]

    def _user(self, user_id: str, place: Sequence[tuple[str, str]]) -> User:
        towers = self._settings.towers
        user, anyone = (
            decode_user(self._served.get(each), towers.epoch, towers.dim)
            for each in (user_id, ANYONE)
        )
        found = {
            value: decode_context(self._contexts.get(value), towers.epoch) for _, value in place
        }
        return in_place(or_anyone(user, anyone), place, found)

    def _go_to(self, ts_ms: int) -> None:
        self._ts_ms = max(self._ts_ms, ts_ms)

    def _now_ms(self) -> int:
        """The clock of every part is the events' own."""
        return self._ts_ms


class _VectorTopic:
    """A `Sender` into memory: the newest value of each item that was not delivered yet."""

    def __init__(self) -> None:
        self._values: dict[str, bytes | None] = {}

    def send(self, item_id: str, value: bytes | None) -> bool:
        """See `Sender.send`."""
        self._values[item_id] = value
        return True

    def undelivered(self) -> list[str]:
        """See `Sender.undelivered`."""
        return []

    def deliver(self, index: NodeIndex, shards: int) -> None:
        """Apply all to the index, as a node does with records of `item-vectors`."""
        for item_id, value in self._values.items():
            key = item_id.encode()
            index.apply(partition_of(key, shards), decode_change(key, value, None))
        self._values.clear()
        index.items.tend()


class InlineExecutor(Executor):
    """Does the work at once, in the caller's thread: graphs of shards come at the same event in
    every run.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor.submit`."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

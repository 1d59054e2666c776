"""The two labellers as Faust's agent drives them: decode, label, send, acknowledge."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from faust.types import EventT
from faust.types.core import HeadersArg

from schemas.events import Event
from schemas.samples import SampleBatch
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, NEGATIVES, POSITIVES, topic_name
from streams.acks import AckLine, Record
from streams.chunks import encode_chunks
from streams.dead_letters import Source, encode_dead_letter
from streams.decode import EventDecoder, Refusal
from streams.negatives import NegativesJoin, Step
from streams.outbox import Letter
from streams.positives import label_positives

log = logging.getLogger(__name__)

Token = tuple[Record, int]
"""A record of `events` and its offset."""


class Sender(Protocol):
    """Where labels go."""

    def send(self, letter: Letter, delivered: Callable[[], None]) -> None:
        """Send in the background, and call back once the broker has acknowledged."""

    async def room(self) -> None:
        """Wait until not too much waits for the broker."""


class RecordLabeller:
    """What both labellers share: one line of records a partition, dead letters, counters."""

    _reports_refusals: bool
    """Both labellers refuse the same events; one of them writes the dead letters."""
    _writes: str
    """The topic of its labels, without the namespace."""

    def __init__(
        self,
        settings: Settings,
        role: str,
        now_ms: Callable[[], int],
        outbox: Sender,
    ) -> None:
        self._settings = settings
        self._role = role
        self._now_ms = now_ms
        self._decoder = EventDecoder(settings.labelling)
        self._labels = topic_name(settings.namespace, self._writes)
        self._dead_letters = topic_name(settings.namespace, DEAD_LETTERS)
        self._lines: dict[int, AckLine] = {}
        self._outbox = outbox
        self.counts: Counter[str] = Counter()
        self.next_offsets: dict[int, int | None] = {}
        """By partition, the record to be labelled next; None for the committed one."""
        self.assign(set())

    def assign(self, partitions: set[int]) -> None:
        """Start these partitions afresh: they are delivered again from their committed offset."""
        for line in self._lines.values():
            line.abandon()
        self._lines = {partition: AckLine() for partition in partitions}
        self.next_offsets = dict.fromkeys(partitions)
        self.counts["assignments"] += bool(partitions)

    async def room(self) -> None:
        """Wait while too many labels wait for the broker: no more events then."""
        await self._outbox.room()

    def handle(self, event: EventT[bytes]) -> None:
        """Label one record; whatever is wrong with it becomes a dead letter."""
        message = event.message
        line = self._lines.get(message.partition)
        if line is None:
            return  # revoked meanwhile: its new owner gets it from the committed offset
        record = line.track(lambda: _acknowledge(event))
        headers = _headers(message.headers)
        source = Source(message.topic, message.partition, message.offset, message.key, headers)
        try:
            decoded = self._decoder.decode(message.value, headers, self._now_ms())
            self.counts["events"] += len(decoded.events)
            for refusal in decoded.refusals:
                self.counts[f"refused_{refusal.reason}"] += 1
                if self._reports_refusals:
                    self._send_dead_letter(record, source, refusal)
            self._label(source, decoded.events, record)
        except Exception as error:  # an exception that leaves the agent loses the record
            log.exception(
                "label=failed topic=%s partition=%d offset=%d",
                message.topic,
                message.partition,
                message.offset,
            )
            self._give_up(message.partition, (record, message.offset))
            detail = f"labelling must not fail; got {error!r}; report this record as a bug"
            self._send_dead_letter(
                record, source, Refusal("internal_error", detail, message.value or b"")
            )
        record.release()
        self.next_offsets[message.partition] = message.offset + 1

    @property
    def open_records(self) -> int:
        """Records taken and not yet acknowledged."""
        return sum(len(line) for line in self._lines.values())

    @property
    def partitions(self) -> list[int]:
        """Partitions of `events` that are ours."""
        return sorted(self._lines)

    @abstractmethod
    def tick(self) -> None:
        """Time has passed."""

    @abstractmethod
    def _label(self, source: Source, events: list[Event], record: Record) -> None: ...

    def _give_up(self, partition: int, token: Token) -> None:
        """Forget a record that could not be labelled."""

    def _send_dead_letter(self, record: Record, source: Source, refusal: Refusal) -> None:
        self.counts["dead_letters"] += 1
        self.counts[f"dead_letters_{refusal.reason}"] += 1
        log.warning(
            "dead_letter=%s topic=%s partition=%d offset=%d detail=%r",
            refusal.reason,
            source.topic,
            source.partition,
            source.offset,
            refusal.detail,
        )
        value = encode_dead_letter(refusal, source, self._role, self._now_ms())
        letter = Letter(self._dead_letters, 0, source.topic.encode(), value)
        record.hold()
        self._outbox.send(letter, record.release)

    def _send_samples(self, batch: SampleBatch, key: bytes | None, record: Record) -> None:
        for value in encode_chunks(batch):
            record.hold()
            letter = Letter(self._labels, batch.source_partition, key, value)
            self._outbox.send(letter, record.release)


class PositivesLabeller(RecordLabeller):
    """Sends the positives and signals of each record at once, and the dead letters of `events`."""

    _reports_refusals = True
    _writes = POSITIVES

    def tick(self) -> None:
        """Nothing waits for time here."""

    def _label(self, source: Source, events: list[Event], record: Record) -> None:
        batch = label_positives(events, self._settings.labelling, source.partition, source.offset)
        for sample in batch.samples:
            self.counts[sample.kind] += 1
        exposures = sum(batch.exposures.values())
        self.counts["exposures"] += exposures
        self.counts["duplicates"] += len(events) - exposures - len(batch.samples)
        if batch.samples or batch.exposures:
            self._send_samples(batch, source.key, record)


class NegativesLabeller(RecordLabeller):
    """Sends an exposure's negative once its window is over without a positive."""

    _reports_refusals = False
    _writes = NEGATIVES

    def assign(self, partitions: set[int]) -> None:
        """Start these partitions afresh, with empty joins that the replay fills."""
        super().assign(partitions)
        self._joins: dict[int, NegativesJoin[Token]] = {
            partition: NegativesJoin(self._settings.labelling, self._now_ms)
            for partition in partitions
        }

    def tick(self) -> None:
        """Let the idle clock of each partition move on."""
        for partition, join in self._joins.items():
            self._settle(partition, join.tick())

    @property
    def pending(self) -> int:
        """Exposures that wait for a positive."""
        return sum(join.pending for join in self._joins.values())

    def _label(self, source: Source, events: list[Event], record: Record) -> None:
        join = self._joins[source.partition]
        step = join.add(events, (record, source.offset))
        record.hold(step.held)
        self.counts["duplicates"] += step.duplicates
        self.counts["late"] += step.late
        self._settle(source.partition, step)

    def _give_up(self, partition: int, token: Token) -> None:
        self._joins[partition].forget(token)

    def _settle(self, partition: int, step: Step[Token]) -> None:
        """Release what was waiting, once the negatives of each record are on the broker."""
        self.counts["settled_early"] += step.early
        for (record, _), times in step.released.items():
            record.release(times)
        for (record, offset), passed_over in step.negatives.items():
            batch = SampleBatch([], partition, offset, passed_over=passed_over)
            self.counts["exposure_negative"] += batch.count()
            self._send_samples(batch, passed_over[0].user_id.encode(), record)
            record.release(batch.count())


def _acknowledge(event: EventT[bytes]) -> None:
    event.ack()


def _headers(headers: HeadersArg | None) -> list[tuple[str, bytes]]:
    """A record's headers; one without a value counts as empty."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return [(str(name), value if isinstance(value, bytes) else b"") for name, value in pairs]

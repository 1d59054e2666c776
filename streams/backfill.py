"""The labels of a whole log at once, by the cores that label the live stream; pure."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.codec import CONTENT_TYPE
from schemas.events import EXPOSURE, Event
from schemas.samples import EXPOSURE_NEGATIVE, POSITIVE, SIGNAL, Sample, SampleKind, sample_id
from schemas.settings import LabellingSettings
from schemas.topics import partition_of
from streams.deadlines import BUCKET_MS
from streams.decode import EventDecoder, Refusal
from streams.grouping import MAX_EVENTS
from streams.negatives import IDLE_GRACE_MS, NegativesJoin, Step
from streams.positives import label_positives

_KINDS: tuple[SampleKind, ...] = (POSITIVE, SIGNAL, EXPOSURE_NEGATIVE)


class Stated(NamedTuple):
    """What one record of the log gave."""

    samples: list[Sample]
    """What it completed, in the order of the log; not all of them are final."""
    refusals: list[Refusal]


class Totals(NamedTuple):
    """Counts over a log."""

    events: int
    positives: int
    """Final ones, as are signals and negatives."""
    signals: int
    negatives: int
    duplicates: int
    """Events that state what an earlier one does: the same action on the same (request, item)."""
    late: int
    """Exposures that came after their window had closed, in the order of the log."""
    taken_back: int
    """Negatives that a positive took back after they had been stated."""
    refused: dict[str, int]
    """By reason."""


class Backfill:
    """Labels the records of a log in their order, as if `EventProducer` had sent its events.

    Each event goes to the partition of its user, where up to `record_events` make a record, so
    that windows, lateness and bounds are those of the live labellers. What is final is known at
    the end: each sample id once, as it was first stated, and no negative of a (request, item) that
    has a positive anywhere in the log.

    Keeps 8 bytes an event, about 20 a sample, and what waits in the open windows.
    """

    def __init__(
        self,
        rules: LabellingSettings,
        partitions: int,
        now_ms: int,
        record_events: int = MAX_EVENTS,
    ) -> None:
        self._rules = rules
        self._now_ms = now_ms
        self._record_events = record_events
        self._decoder = EventDecoder(rules)
        self._partitions = partitions
        self._silence_ms = 0
        self._gathered: dict[int, list[Event]] = {}
        self._joins: dict[int, NegativesJoin[int]] = {}
        self._offsets: Counter[int] = Counter()
        self._statements = array("Q")  # of all events: what each says, as a sample id
        self._ids = array("Q")  # of all samples given, in order, as are their kinds
        self._kinds = array("B")
        self._taken_back = array("Q")  # ids that negatives with a positive would have
        self._refused: Counter[str] = Counter()
        self._late = 0

    def take(self, value: bytes, form: str) -> Stated:
        """Label one record of the log: an event or an array, as MessagePack or JSON."""
        headers = [(CONTENT_TYPE, form.encode())]
        decoded = self._decoder.decode(value, headers, self._now_ms)
        self._refused.update(refusal.reason for refusal in decoded.refusals)
        samples = []
        for event in decoded.events:
            self._statements.append(sample_id(event.request_id, event.item_id, event.action))
            partition = partition_of(event.user_id.encode(), self._partitions)
            gathered = self._gathered.setdefault(partition, [])
            gathered.append(event)
            if len(gathered) >= self._record_events:
                samples += self._label(partition)
        self._note(samples)
        return Stated(samples, decoded.refusals)

    def finish(self) -> list[Sample]:
        """The log is over: close every window."""
        samples = [
            sample for partition in list(self._gathered) for sample in self._label(partition)
        ]
        # The end of a log is a long silence, by which each partition's own clock moves on.
        waited_ms = self._rules.window_ms + self._rules.lateness_ms
        self._silence_ms += waited_ms + IDLE_GRACE_MS + 2 * BUCKET_MS
        for join in self._joins.values():
            samples += _passed_over(join.tick())
        self._note(samples)
        return samples

    def final(self) -> npt.NDArray[np.bool_]:
        """Of each sample given so far, in order, whether it is final."""
        ids = np.array(self._ids, dtype=np.uint64)
        first = np.zeros(len(ids), dtype=np.bool_)
        first[np.unique(ids, return_index=True)[1]] = True
        return first & ~self._is_taken_back(ids)

    def totals(self) -> Totals:
        """What there was, over all records so far."""
        kinds = np.array(self._kinds, dtype=np.uint8)
        counts = np.bincount(kinds[self.final()], minlength=len(_KINDS)).tolist()
        stated = np.unique(np.array(self._ids, dtype=np.uint64))
        distinct = np.unique(np.array(self._statements, dtype=np.uint64))
        return Totals(
            events=len(self._statements),
            positives=counts[0],
            signals=counts[1],
            negatives=counts[2],
            duplicates=len(self._statements) - len(distinct),
            late=self._late,
            taken_back=int(np.count_nonzero(self._is_taken_back(stated))),
            refused=dict(self._refused),
        )

    def _is_taken_back(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        return np.isin(ids, np.array(self._taken_back, dtype=np.uint64))

    def _label(self, partition: int) -> list[Sample]:
        """Label what was gathered of the partition, as one record."""
        events = self._gathered.pop(partition)
        offset = self._offsets[partition]
        self._offsets[partition] += 1
        join = self._joins.get(partition)
        if join is None:
            join = NegativesJoin(self._rules, lambda: self._silence_ms)
            self._joins[partition] = join
        samples = label_positives(events, self._rules, partition, offset).samples
        step = join.add(events, offset)
        self._late += step.late
        return samples + _passed_over(step)

    def _note(self, samples: list[Sample]) -> None:
        for sample in samples:
            self._ids.append(sample.sample_id)
            self._kinds.append(_KINDS.index(sample.kind))
            if sample.kind == POSITIVE:
                negative = sample_id(sample.request_id, sample.item_id, EXPOSURE)
                self._taken_back.append(negative)


def _passed_over(step: Step[int]) -> list[Sample]:
    return [
        sample for some in step.negatives.values() for shown in some for sample in shown.samples()
    ]

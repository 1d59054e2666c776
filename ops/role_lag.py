"""How far a role is behind in the topics that it reads, as the broker says."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from prometheus_client import Metric

from ops.lag.next_records import NOTHING, NextRecords
from ops.lag.rows import NextRecord
from schemas.metrics import MetricSpec
from schemas.settings import Settings
from schemas.status import Reading, Role
from schemas.topics import EVENTS

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
_TIMEOUT_MS = 2_000
_READ_S = 1.0
_NOTHING_S = 0.5
_CLOSE_S = 1.0

LAG_RECORDS = MetricSpec(
    "penstock_consumer_lag_records",
    "gauge",
    "Records on the broker that the role has yet to process; of a compacted topic, offsets.",
    ("role", "topic", "partition"),
)
LAG_SECONDS = MetricSpec(
    "penstock_consumer_lag_seconds",
    "gauge",
    "Now less the event time of the next record to be processed; 0 without one. Where records "
    "tell of no event, the time at which the record was sent.",
    ("role", "topic", "partition"),
)
LAG_AGE_SECONDS = MetricSpec(
    "penstock_consumer_lag_age_seconds",
    "gauge",
    "Since the lag was last looked at, or the start; it grows while Kafka does not answer.",
    ("role",),
)
LAG_METRICS = (LAG_RECORDS, LAG_SECONDS, LAG_AGE_SECONDS)
"""Of every role."""


class PartitionLag(NamedTuple):
    """Of one partition."""

    topic: str
    """Without namespace."""
    partition: int
    records: int
    next_ms: int | None
    """Event time of the next record; None without one, and where it could not be read in time."""
    written_ms: int | None = None
    """When the next record was written; None where `next_ms` is."""


def waits_too_long(lags: Iterable[PartitionLag], now_ms: int, within_s: float) -> str:
    """Why a labeller is not ready, by what waits on `events`; empty when it is.

    By when records were written, as events of the past may be replayed.
    """
    waits = [
        (now_ms - lag.written_ms, lag.partition)
        for lag in lags
        if lag.topic == EVENTS and lag.written_ms is not None
    ]
    longest_ms, partition = max(waits, default=(0, 0))
    if longest_ms <= 1e3 * within_s:
        return ""
    return (
        f"a record of partition {partition} of {EVENTS} has waited {longest_ms / 1e3:.0f} s; "
        f"ready within {within_s:g} s"
    )


class RoleLag:
    """Looks every 5 s, by a thread and a consumer of its own, until closed.

    So it is right also while the role's own consumer stands still, and costs the role nothing;
    of what waits the first record is read, once. Between two looks seconds go on, records
    stay. The first look is made at once; while Kafka does not answer the last one counts.
    """

    def __init__(
        self,
        settings: Settings,
        role: Role,
        reading: Callable[[], Reading],
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._role = role
        self._reading = reading
        self._now_ms = now_ms
        self._closing = threading.Event()
        self._looked_s = time.monotonic()
        self.lags: list[PartitionLag] = []
        """As of the last look."""
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; a look under way is waited for no longer than 1 s."""
        self._closing.set()
        self._thread.join(timeout=_CLOSE_S)

    def collect(self) -> Iterator[Metric]:
        """As a collector of prometheus_client."""
        lags, now_ms = self.lags, self._now_ms()
        place = [(self._role, lag.topic, str(lag.partition)) for lag in lags]
        yield LAG_RECORDS.family(
            (labels, lag.records) for labels, lag in zip(place, lags, strict=True)
        )
        yield LAG_SECONDS.family(
            (labels, 0.0 if lag.next_ms is None else max(0, now_ms - lag.next_ms) / 1e3)
            for labels, lag in zip(place, lags, strict=True)
            if lag.next_ms is not None or not lag.records
        )
        yield LAG_AGE_SECONDS.family([((self._role,), time.monotonic() - self._looked_s)])

    def _run(self) -> None:
        failing = False
        while not self._closing.is_set():
            if not self._reading().next_offsets:  # not yet, or standing by: no need to connect
                self.lags, self._looked_s = [], time.monotonic()
                self._closing.wait(_NOTHING_S)
                continue
            try:
                with closing(self._consumer()) as consumer, closing(self._records()) as records:
                    while not self._closing.is_set():
                        self._look(consumer, records)
                        if failing:
                            log.info("lag=known")
                        failing = False
                        self._closing.wait(LOOK_EVERY_S)
            except Exception as error:  # kafka-python also raises KeyError for a partial answer
                if not failing:  # once an outage
                    log.warning("lag=unknown error=%r action=retrying", error)
                failing = True
                self._closing.wait(LOOK_EVERY_S)

    def _consumer(self) -> Any:
        return KafkaConsumer(
            **self._settings.kafka.client_options(),
            group_id=self._reading().group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=_TIMEOUT_MS,
        )

    def _records(self) -> NextRecords:
        return NextRecords(self._settings.kafka, self._settings.namespace)

    def _look(self, consumer: Any, records: NextRecords) -> None:
        wanted = {TopicPartition(*place): at for place, at in self._reading().next_offsets.items()}
        if not wanted:
            self.lags = []
            self._looked_s = time.monotonic()
            return
        begins = consumer.beginning_offsets(list(wanted), timeout_ms=_TIMEOUT_MS)
        ends = consumer.end_offsets(list(wanted), timeout_ms=_TIMEOUT_MS)
        nexts = {}
        for part, offset in wanted.items():
            known = consumer.committed(part, timeout_ms=_TIMEOUT_MS) if offset is None else offset
            nexts[part] = max(begins[part], known or 0)
        behind = [(part, at) for part, at in nexts.items() if at < ends[part]]
        times = records.read(behind, _READ_S)
        self.lags = [
            PartitionLag(
                part.topic.removeprefix(f"{self._settings.namespace}."),
                part.partition,
                max(0, ends[part] - nexts[part]),
                _event_ms(record),
                record.written_ms,
            )
            for part in sorted(nexts)
            for record in [times.get((part, nexts[part]), NOTHING)]
        ]
        self._looked_s = time.monotonic()


def _event_ms(record: NextRecord) -> int | None:
    return record.written_ms if record.event_ms is None else record.event_ms

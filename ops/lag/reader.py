"""Reads the lag of every role from Kafka's own offsets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from ops.broker import BOOTSTRAP_MS, check_reachable, existing_topics
from ops.lag.next_records import NOTHING, NextRecords
from ops.lag.rows import LagRow, Offsets, lag_row, next_offset
from ops.lag.subscriptions import Subscription, subscriptions
from schemas.clock import wall_ms
from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import Settings

_EARLIEST, _LATEST = -2, -1
_REQUEST_MS = 5_000


class LagReader:
    """A connection to Kafka that tells every role's lag as often as asked.

    Work is bounded by partitions, never by records: offsets come from the broker, and of each
    partition that is behind one record is read. The constructor raises BrokerUnavailable.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timeout_s: float = 10.0,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """`timeout_s`: the most that reading records may take, each time."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._now_ms = now_ms
        self._subscriptions = subscriptions(settings)
        check_reachable(settings.kafka)
        try:
            self._admin: Any = KafkaAdminClient(
                **settings.kafka.client_options(),
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                request_timeout_ms=_REQUEST_MS,
            )
        except (KafkaError, OSError) as error:
            raise self._unavailable(error) from error
        try:
            self._records = NextRecords(settings.kafka, settings.namespace)
        except (KafkaError, OSError) as error:
            self._admin.close()
            raise self._unavailable(error) from error

    def read(self) -> list[LagRow]:
        """A row for each role, topic and partition. Raises BrokerUnavailable, TopicError."""
        try:
            offsets = self._offsets()
            places = {
                (part, start)
                for (reading, part), at in offsets.items()
                if (start := next_offset(reading, at)) is not None and start < at.end
            }
            records = self._records.read(places, self._timeout_s)
        except (KafkaError, OSError) as error:
            raise self._unavailable(error) from error
        now_ms = self._now_ms()
        rows = []
        for (reading, part), at in offsets.items():
            start = next_offset(reading, at)
            record = NOTHING if start is None else records.get((part, start), NOTHING)
            rows.append(lag_row(reading, part.partition, at, record, now_ms))
        return rows

    def ends(self, topics: list[str]) -> dict[str, int]:
        """Sum of the end offsets of each topic. Raises BrokerUnavailable, TopicError."""
        try:
            parts = self._partitions(topics)
            ends = self._admin.list_partition_offsets(dict.fromkeys(parts, _LATEST))
        except (KafkaError, OSError) as error:
            raise self._unavailable(error) from error
        sums = dict.fromkeys(topics, 0)
        for part, end in ends.items():
            sums[part.topic] += end.offset
        return sums

    def close(self) -> None:
        """Disconnect."""
        with suppress(KafkaError, OSError):
            self._records.close()
        with suppress(KafkaError, OSError):
            self._admin.close()

    def _offsets(self) -> dict[tuple[Subscription, TopicPartition], Offsets]:
        parts = self._partitions([reading.topic for reading in self._subscriptions])
        groups = {one.group: None for one in self._subscriptions if one.group is not None}
        # The commits first: what is committed later is at or before an end that is read later.
        commits = self._admin.list_group_offsets(groups)
        begins = self._admin.list_partition_offsets(dict.fromkeys(parts, _EARLIEST))
        ends = self._admin.list_partition_offsets(dict.fromkeys(parts, _LATEST))
        offsets = {}
        for reading in self._subscriptions:
            committed = commits.get(reading.group, {})
            for part in parts:
                if part.topic == reading.topic:
                    commit = committed.get(part)
                    known = commit is not None and commit.offset >= 0
                    offsets[reading, part] = Offsets(
                        begins[part].offset,
                        ends[part].offset,
                        commit.offset if known else None,
                    )
        return offsets

    def _partitions(self, topics: list[str]) -> list[TopicPartition]:
        # Of all topics: asking for one by name may create it, with the broker's own layout.
        existing = existing_topics(self._admin)
        missing = [topic for topic in dict.fromkeys(topics) if topic not in existing]
        if missing:
            msg = f"topics are laid out as the settings say; missing: {', '.join(missing)}; "
            raise TopicError(msg + "run `penstock topics create`")
        return [
            TopicPartition(topic, number)
            for topic in dict.fromkeys(topics)
            for number in range(existing[topic])
        ]

    def _unavailable(self, error: Exception) -> BrokerUnavailable:
        servers = self._settings.kafka.bootstrap_servers
        msg = f"Kafka answers at {servers}; it does not: {error!r}; start it, or see its log"
        return BrokerUnavailable(msg)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

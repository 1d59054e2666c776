"""`EventProducer`: how Python services publish events and items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.codec import encode
from schemas.errors import BrokerUnavailable, TopicError
from schemas.events import Event, Item
from schemas.settings import Settings
from schemas.topics import EVENTS, ITEMS, partition_of, topic_name

_BOOTSTRAP_MS = 8_000
_MAX_EVENTS_A_RECORD = 1_000


class EventProducer:
    """Publishes events and items; thread-safe.

    Sends return at once; `flush` waits until the brokers have acknowledged all of them, and raises
    the first failure. As a context manager it flushes and closes at the end.

    Raises BrokerUnavailable when Kafka can't be reached within 8 s.
    """

    def __init__(self, settings: Settings) -> None:
        self._events = topic_name(settings.namespace, EVENTS)
        self._items = topic_name(settings.namespace, ITEMS)
        self._max_bytes = settings.labelling.max_record_bytes
        servers = settings.kafka.bootstrap_servers
        try:
            self._producer: Any = KafkaProducer(
                **settings.kafka.client_options(),
                acks="all",
                linger_ms=0,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                max_request_size=self._max_bytes + 1_000_000,
            )
        except (KafkaError, OSError) as error:
            msg = f"Kafka answers at its address; none at {servers} ({error}); is it running there?"
            raise BrokerUnavailable(msg) from error
        partitions = self._producer.partitions_for(self._events)
        if not partitions:
            self._producer.close()
            msg = f"topic {self._events} exists; it is missing; run `penstock topics create`"
            raise TopicError(msg)
        self._partitions = len(partitions)
        self._failure: BaseException | None = None

    def send(self, event: Event) -> None:
        """Publish one event, keyed by its user."""
        self._send(self._events, event.user_id.encode(), encode(event))

    def send_many(self, events: Iterable[Event]) -> None:
        """Publish events as arrays of one partition each: the fast way. Order within a user stays.

        An array holds at most 1,000 events and `labelling.max_record_bytes`.
        """
        by_partition: dict[int, list[Event]] = {}
        for event in events:
            partition = partition_of(event.user_id.encode(), self._partitions)
            by_partition.setdefault(partition, []).append(event)
        for partition, group in by_partition.items():
            for start in range(0, len(group), _MAX_EVENTS_A_RECORD):
                self._send_group(partition, group[start : start + _MAX_EVENTS_A_RECORD])

    def put_item(self, item: Item) -> None:
        """Publish the whole present state of an item."""
        self._send(self._items, item.item_id.encode(), encode(item))

    def delete_item(self, item_id: str) -> None:
        """Take an item out of the catalogue."""
        self._send(self._items, item_id.encode(), None)

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until all is acknowledged. Raises BrokerUnavailable on failure or after the time."""
        try:
            self._producer.flush(timeout_s)
        except KafkaError as error:
            self._failure = self._failure or error
        failure, self._failure = self._failure, None
        if failure is not None:
            msg = f"Kafka acknowledges every record within {timeout_s} s; it did not: {failure!r}"
            raise BrokerUnavailable(msg) from failure

    def close(self) -> None:
        """Close without waiting for more than what `flush` has waited for."""
        self._producer.close(timeout=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def _send_group(self, partition: int, group: Sequence[Event]) -> None:
        value = encode(group)
        if len(value) > self._max_bytes and len(group) > 1:
            half = len(group) // 2
            self._send_group(partition, group[:half])
            self._send_group(partition, group[half:])
        else:
            self._send(self._events, group[0].user_id.encode(), value, partition)

    def _send(
        self, topic: str, key: bytes, value: bytes | None, partition: int | None = None
    ) -> None:
        try:
            future = self._producer.send(topic, key=key, value=value, partition=partition)
        except KafkaError as error:
            msg = f"Kafka takes records for {topic}; it did not: {error!r}; is it running?"
            raise BrokerUnavailable(msg) from error
        future.add_errback(self._note_failure)

    def _note_failure(self, error: BaseException) -> None:
        self._failure = self._failure or error

"""`EventProducer`: how Python services publish events and items."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from schemas.codec import encode
from schemas.errors import BrokerUnavailable, EventRefused, TopicError
from schemas.events import Event, Item
from schemas.settings import Settings
from schemas.topics import EVENTS, ITEMS, partition_of, topic_name
from streams.grouping import Encoded, Grouping, Record
from streams.publisher import Publisher

DEFAULT_LINGER_MS = 5
"""As long as a record's way through Kafka: gathers a burst, and nobody notices."""

_SLICE_BYTES = 16_000_000  # of one `send_many`, so that it can wait for room on the way


class EventProducer:
    """Publishes events and items; thread-safe.

    Single events are gathered into arrays of one partition, which all who read them handle many
    times as fast: an event that comes after a pause is sent at once, and one that comes within
    `linger_ms` of the record before it leaves when that time is over, with all that came
    meanwhile. So a lone click is not slowed, and none by more than `linger_ms`. With 0 each event
    is a record of its own.

    Sends return at once, unless 64 MB of events wait for acknowledgement: then they wait for room,
    60 s at most. The order of a user's events stays, whichever way they are sent. `flush` waits
    until the brokers have acknowledged everything, and raises the first failure. As a context
    manager it flushes and closes at the end; what was sent last is lost where neither is done.

    Raises BrokerUnavailable when Kafka can't be reached within 8 s.
    """

    def __init__(self, settings: Settings, linger_ms: int = DEFAULT_LINGER_MS) -> None:
        self._events = topic_name(settings.namespace, EVENTS)
        self._items = topic_name(settings.namespace, ITEMS)
        self._max_bytes = settings.labelling.max_record_bytes
        self._publisher = Publisher(settings)
        try:
            partitions = self._publisher.partitions(self._events)
        except TopicError:
            self._publisher.close()
            raise
        self._partitions = partitions
        self._closed = False
        self._grouping = Grouping(linger_ms, self._max_bytes, _monotonic_ms)
        # Held from grouping until Kafka's client has the record, so that no other overtakes it.
        self._order = threading.Lock()
        self._due_changed = threading.Condition(self._order)
        self._thread = threading.Thread(target=self._send_due, name="linger", daemon=True)
        self._thread.start()

    def send(self, event: Event) -> None:
        """Publish one event, keyed by its user.

        Raises EventRefused for one above `labelling.max_record_bytes`, BrokerUnavailable when
        there is no room in time; neither was taken then.
        """
        encoded = self._encode(event)
        self._publisher.take_room(len(encoded.data))
        with self._order:
            self._check_open()
            due_ms = self._grouping.next_due_ms
            self._hand_over(self._grouping.add(encoded))
            if self._grouping.next_due_ms != due_ms:
                self._due_changed.notify()

    def send_many(self, events: Iterable[Event]) -> None:
        """Publish events at once, as arrays of one partition each: the fastest way.

        Raises as `send`; EventRefused before any is taken, BrokerUnavailable perhaps midway.
        """
        encoded = [self._encode(event) for event in events]
        for part in _slices(encoded):
            self._publisher.take_room(sum(len(event.data) for event in part))
            with self._order:
                self._check_open()
                self._hand_over(self._grouping.add_many(part))

    def put_item(self, item: Item) -> None:
        """Publish the whole present state of an item."""
        self._put(item.item_id.encode(), encode(item))

    def delete_item(self, item_id: str) -> None:
        """Take an item out of the catalogue."""
        self._put(item_id.encode(), None)

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until all is acknowledged. Raises BrokerUnavailable on failure or after the time."""
        with self._order:
            self._hand_over(self._grouping.take_all())
        self._publisher.flush(timeout_s)

    def close(self) -> None:
        """Send what lingers and close, with 1 s for what no `flush` has waited for."""
        with self._order:
            self._hand_over(self._grouping.take_all())
            self._closed = True
            self._due_changed.notify()
        self._thread.join()
        self._publisher.close()

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

    def _encode(self, event: Event) -> Encoded:
        try:
            data = encode(event)
        except (TypeError, ValueError, OverflowError) as error:
            msg = f"an event's fields are those of the Event type; {error}; got {event!r:.300}"
            raise EventRefused(msg) from error
        if len(data) > self._max_bytes:
            msg = (
                f"an event has at most {self._max_bytes} bytes (labelling.max_record_bytes); "
                f"got {len(data)}; send a smaller context; it begins {event!r:.200}"
            )
            raise EventRefused(msg)
        key = event.user_id.encode()
        return Encoded(partition_of(key, self._partitions), key, data)

    def _check_open(self) -> None:
        if self._closed:
            msg = "events are sent before the producer is closed; this one is; make another"
            raise BrokerUnavailable(msg)

    def _send_due(self) -> None:
        """The thread: sends each group when its time comes, until closed."""
        with self._due_changed:
            while not self._closed:
                due_ms = self._grouping.next_due_ms
                wait_s = None if due_ms is None else max(0, due_ms - _monotonic_ms()) / 1000
                self._due_changed.wait(wait_s)
                self._hand_over(self._grouping.take_due())

    def _hand_over(self, records: Iterable[Record]) -> None:
        for record in records:
            # `flush` raises the failure; the events of others must still go, and the thread live.
            with contextlib.suppress(BrokerUnavailable):
                self._publisher.send(
                    self._events, record.key, record.value, record.events_bytes, record.partition
                )

    def _put(self, key: bytes, value: bytes | None) -> None:
        size_bytes = len(key) + len(value or b"")
        self._publisher.take_room(size_bytes)
        self._publisher.send(self._items, key, value, size_bytes)


def _slices(events: list[Encoded]) -> Iterator[list[Encoded]]:
    """The same events in order, in lists that each go as one, of about 16 MB at most."""
    part: list[Encoded] = []
    size_bytes = 0
    for event in events:
        if part and size_bytes + len(event.data) > _SLICE_BYTES:
            yield part
            part, size_bytes = [], 0
        part.append(event)
        size_bytes += len(event.data)
    if part:
        yield part


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000

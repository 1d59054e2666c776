"""Sends item vectors to Kafka and says which did not arrive."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from schemas.errors import BrokerUnavailable
from schemas.settings import Settings
from schemas.topics import ITEM_VECTORS, partition_of, topic_name
from towers.inbox import BOOTSTRAP_MS, RECONNECT_MS

log = logging.getLogger(__name__)

_BLOCK_MS = 500
_LINGER_MS = 5  # the vectors of a turn go together, to the broker and from there to the index
_PAUSE_S = 0.5  # between two producers, where the broker refuses what the first one sends


class VectorWriter:
    """An idempotent producer, so that retries keep the order of an item's vectors.

    `allowed` is asked before each one: a leader that was frozen sends nothing until it is known
    that it still leads. Raises BrokerUnavailable from the constructor.
    """

    def __init__(self, settings: Settings, allowed: Callable[[], bool]) -> None:
        self._allowed = allowed
        self._topic = topic_name(settings.namespace, ITEM_VECTORS)
        self._shards = settings.topics.shards
        self._options = settings.kafka.client_options()
        self._undelivered: deque[str] = deque()
        self._ends: dict[int, int] = {}
        self.lost = False
        """The broker gave an offset again: it lost vectors that it had acknowledged."""
        self._refused = False  # by the broker, after which an idempotent producer sends no more
        self._not_before_s = 0.0
        self._producer: Any = self._connect()

    def send(self, item_id: str, value: bytes | None) -> bool:
        """Send in the background; None deletes. False when that can't or may not be done now."""
        if not self._allowed():
            return False
        key = item_id.encode()
        if self._refused:
            self._refused = False
            self._not_before_s = time.monotonic() + _PAUSE_S
            self._drop()
        if time.monotonic() < self._not_before_s:
            return False
        try:
            if self._producer is None:
                self._producer = self._connect()
            future = self._producer.send(
                self._topic, value, key=key, partition=partition_of(key, self._shards)
            )
        except KafkaTimeoutError:  # its buffer is full
            return False
        except (KafkaError, BrokerUnavailable) as error:
            # After some errors an idempotent producer never sends again: begin with a new one.
            log.warning("item_vectors=refused error=%r action=new_producer", str(error))
            self._drop()
            return False
        future.add_callback(self._arrived)
        future.add_errback(self._failed, item_id)
        return True

    def undelivered(self) -> list[str]:
        """Items whose vector the broker did not take, each said once."""
        item_ids = []
        while self._undelivered:
            item_ids.append(self._undelivered.popleft())
        return item_ids

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was sent is on the broker; False when that takes longer."""
        if self._producer is None:
            return False
        try:
            self._producer.flush(timeout=timeout_s)
        except KafkaError:
            return False
        return not self._undelivered

    def begin(self, positions: dict[int, int]) -> None:
        """The topic is known to end there."""
        self._ends = dict(positions)

    def positions(self) -> dict[int, int]:
        """Offset after the last vector sent from here, by partition."""
        return dict(self._ends)

    def close(self) -> None:
        """Disconnect; what was not flushed is given up."""
        self._drop()

    def _connect(self) -> Any:
        try:
            return KafkaProducer(
                **self._options,
                linger_ms=_LINGER_MS,
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                max_block_ms=_BLOCK_MS,
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                reconnect_backoff_max_ms=RECONNECT_MS,
            )
        except KafkaError as error:
            raise BrokerUnavailable(str(error)) from error

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    def _arrived(self, metadata: Any) -> None:
        partition, offset = metadata.partition, metadata.offset
        known = self._ends.get(partition, 0)
        # The order of sends is kept, so offsets only grow, unless the broker lost some.
        self.lost |= offset < known
        self._ends[partition] = offset + 1

    def _failed(self, item_id: str, error: Exception) -> None:
        self._undelivered.append(item_id)
        self._refused |= not getattr(error, "retriable", False)
        log.warning(
            "item_vector=undelivered item=%s error=%r action=send_again", item_id, str(error)
        )

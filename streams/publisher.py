"""Records to Kafka in the background: bounded, and the first failure remembered."""

from __future__ import annotations

import threading
from typing import Any

from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError

from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import Settings
from streams.room import Room

_BOOTSTRAP_MS = 8_000
_CLOSE_S = 1.0
_ROOM_BYTES = 64_000_000
_ROOM_S = 60.0


class Publisher:
    """Kafka's client with a bound on what waits for acknowledgement; thread-safe.

    Raises BrokerUnavailable when Kafka can't be reached within 8 s.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connecting = threading.Lock()
        self._producer: Any = self._connected()
        self._refused = False  # by the broker, after which an idempotent producer sends no more
        self._room = Room(_ROOM_BYTES)
        self._failure: BaseException | None = None

    def partitions(self, topic: str) -> int:
        """How many the topic has. Raises TopicError when it is missing."""
        partitions = self._producer.partitions_for(topic)
        if not partitions:
            msg = f"topic {topic} exists; it is missing; run `penstock topics create`"
            raise TopicError(msg)
        return len(partitions)

    def take_room(self, size_bytes: int) -> None:
        """Wait for room, 60 s at most; `send` gives it back. Raises BrokerUnavailable."""
        # Kafka's client has no bound of its own: through an outage it would take all memory.
        if not self._room.take(size_bytes, _ROOM_S):
            msg = (
                f"at most {_ROOM_BYTES} bytes wait for acknowledgement; {self._room.taken_bytes} "
                f"do, for {_ROOM_S:.0f} s; is Kafka running, and fast enough?"
            )
            raise BrokerUnavailable(msg)

    def send(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        room_bytes: int,
        partition: int | None = None,
    ) -> None:
        """Send in the background; what fails there is for `flush`, what fails here is raised too.

        `room_bytes` were taken for it before. Raises BrokerUnavailable.
        """
        try:
            future = self._able().send(topic, key=key, value=value, partition=partition)
        except Exception as error:
            self._room.give_back(room_bytes)
            msg = f"Kafka takes records for {topic}; it did not: {error!r}; is it running?"
            self._note_failure(error)
            raise BrokerUnavailable(msg) from error
        future.add_errback(self._note_failure)
        future.add_both(lambda _: self._room.give_back(room_bytes))

    def flush(self, timeout_s: float) -> None:
        """Wait until all is acknowledged. Raises BrokerUnavailable with the first failure."""
        try:
            self._producer.flush(timeout_s)
        except KafkaError as error:
            self._note_failure(error)
        failure, self._failure = self._failure, None
        if failure is not None:
            msg = f"Kafka acknowledges every record within {timeout_s} s; it did not: {failure!r}"
            raise BrokerUnavailable(msg) from failure

    def close(self) -> None:
        """Close, with 1 s for what is under way."""
        self._producer.close(timeout=_CLOSE_S)

    def _able(self) -> Any:
        """The producer, a new one after a refusal: the right may have been given meanwhile."""
        with self._connecting:
            if self._refused:
                self._producer.close(timeout=0)  # a refusal has failed all that waited
                self._producer = self._connected()
                self._refused = False
            return self._producer

    def _connected(self) -> Any:
        servers = self._settings.kafka.bootstrap_servers
        try:
            return KafkaProducer(
                **self._settings.kafka.client_options(),
                acks="all",
                linger_ms=0,
                bootstrap_timeout_ms=_BOOTSTRAP_MS,
                max_request_size=self._settings.labelling.max_record_bytes + 1_000_000,
            )
        except (KafkaError, OSError) as error:
            advice = self._settings.kafka.advice
            msg = f"Kafka answers at its address; none at {servers} ({error}); {advice}"
            raise BrokerUnavailable(msg) from error

    def _note_failure(self, error: BaseException) -> None:
        self._refused |= isinstance(error, AuthorizationError)
        self._failure = self._failure or error

"""Recall as a call: what applications use."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from index_service.pending_calls import PendingCalls, timed_out
from index_service.request_records import RequestRecord, recall_request, request_record
from schemas.errors import BrokerUnavailable, TopicError
from schemas.events import FeatureValue
from schemas.recall import Condition, RecallReply, RecallRequest
from schemas.settings import Settings
from schemas.topics import RECALL_REPLIES, RECALL_REQUESTS, topic_name

_CONNECT_MS = 4_000
"""For each of two connections: a broker that is not there is told of within 10 s."""
_RECONNECT_MS = 1_000
"""Longest pause between two tries to connect: a broker that comes back is found this soon."""
_POLL_MS = 50
"""Longest wait for a reply before a look at what to send again, and at `close`."""

_log = logging.getLogger(__name__)


class RecallClient:
    """Asks the index nodes over Kafka. Safe to share between threads; close it, or use `with`.

    One thread listens on one partition of the replies' topic; the correlation id tells own
    replies from those of other clients there. A request without a reply in a quarter of its time
    (0.2 s at most) is sent to another node as well: the first reply counts.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises BrokerUnavailable within 10 s, or TopicError when the topics are missing."""
        self._requests = topic_name(settings.namespace, RECALL_REQUESTS)
        self._replies = topic_name(settings.namespace, RECALL_REPLIES)
        self._closing = threading.Event()
        options = {
            **settings.kafka.client_options(),
            "bootstrap_timeout_ms": _CONNECT_MS,
            "reconnect_backoff_max_ms": _RECONNECT_MS,
        }
        try:
            self._consumer = KafkaConsumer(**options, enable_auto_commit=False)
            try:
                self._partition = self._listen_from_here()
                self._pending = PendingCalls(self._partitions_of(self._requests))
                self._producer = KafkaProducer(
                    **options,
                    acks=1,
                    enable_idempotence=False,
                    allow_auto_create_topics=False,
                    max_block_ms=_CONNECT_MS,
                )
            except BaseException:
                self._consumer.close(timeout_ms=1_000)
                raise
        except KafkaError as error:
            servers, advice = settings.kafka.bootstrap_servers, settings.kafka.advice
            msg = f"Kafka must answer at kafka.bootstrap_servers; {servers}; {error}; {advice}"
            raise BrokerUnavailable(msg) from error
        self._listener = threading.Thread(target=self._listen, name="recall-replies", daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def recall(
        self,
        user_id: str | None = None,
        *,
        vector: Sequence[float] | None = None,
        item_ids: Sequence[str] | None = None,
        k: int = 10,
        filter: Mapping[str, Condition] | None = None,
        exclude: Sequence[str] = (),
        exclude_seen: bool = True,
        context: Mapping[str, FeatureValue] | None = None,
        timeout_s: float = 1.0,
    ) -> RecallReply:
        """The reply for a user, a vector, or items (newest first); give exactly one of them.

        Raises RecallRefused when the request breaks a rule, RecallOverloaded when a node has too
        many in hand, RecallTimeout without a reply in time, and BrokerUnavailable when the request
        can't be sent.
        """
        request = recall_request(
            user_id, vector, item_ids, k, filter, exclude, exclude_seen, context
        )
        future = self.submit(request, timeout_s)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise timed_out(timeout_s) from None

    def submit(self, request: RecallRequest, timeout_s: float = 1.0) -> Future[RecallReply]:
        """Send a request; its reply comes in the future, or the error that `recall` would raise.

        The future's own timeout is noticed within 0.1 s. Raises RecallError once closed, and
        BrokerUnavailable as `recall` does.
        """
        deadline_ms = int(1e3 * (time.time() + timeout_s))
        record = request_record(request, self._replies, self._partition, deadline_ms)
        future, lane = self._pending.add(record, time.monotonic(), timeout_s)
        try:
            self._send(record, lane)
        except BrokerUnavailable as error:
            self._pending.fail(record.correlation_id, error)
            raise
        return future

    @property
    def retries(self) -> int:
        """Requests sent once more, since the node they went to was silent."""
        return self._pending.retries

    def _send(self, record: RequestRecord, lane: int) -> None:
        correlation_id, value, headers = record
        try:
            sent = self._producer.send(
                self._requests, value, key=correlation_id, headers=headers, partition=lane
            )
        except KafkaError as error:
            raise self._unsent(error) from error
        sent.add_errback(lambda error: self._pending.fail(correlation_id, self._unsent(error)))

    def close(self) -> None:
        """End the listening thread, and fail what is pending with RecallError."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._listener.join(5)
        self._pending.close()
        self._producer.close(timeout=1)
        self._consumer.close(timeout_ms=1_000)

    def _listen_from_here(self) -> int:
        """Place the consumer at the end of one partition of the replies' topic; that partition."""
        chosen = random.choice(self._partitions_of(self._replies))
        place = TopicPartition(self._replies, chosen)
        self._consumer.assign([place])
        self._consumer.seek_to_end(place)
        self._consumer.position(place, timeout_ms=_CONNECT_MS)  # now, not at the first poll
        return chosen

    def _partitions_of(self, topic: str) -> list[int]:
        partitions = self._consumer.partitions_for_topic(topic)
        if not partitions:
            msg = f"topic must exist: {topic}; run `penstock topics create`"
            raise TopicError(msg)
        return sorted(map(int, partitions))

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                for records in self._consumer.poll(timeout_ms=_POLL_MS).values():
                    for record in records:
                        self._pending.take(record.headers, record.value, time.monotonic())
            except KafkaError as error:
                _log.warning("event=replies_unreadable error=%r", str(error))
                self._closing.wait(_POLL_MS / 1e3)
            for retry in self._pending.tend(time.monotonic()):
                try:
                    self._send(*retry)
                except BrokerUnavailable as error:  # the first sending may still be answered
                    _log.debug("event=not_sent_again error=%r", str(error))

    def _unsent(self, error: BaseException) -> BrokerUnavailable:
        msg = f"a request must reach {self._requests}; it did not: {error}; is Kafka up?"
        return BrokerUnavailable(msg)

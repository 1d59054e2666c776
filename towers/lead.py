"""Which of several trainers of an epoch works; the others stand by."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Collection
from typing import Any

from kafka import KafkaConsumer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from kafka.errors import KafkaError
from kafka.protocol.consumer.metadata import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)

from schemas.errors import BrokerUnavailable, TopicError
from schemas.settings import Settings
from schemas.topics import POSITIVES, topic_name
from towers.inbox import BOOTSTRAP_MS, RECONNECT_MS

log = logging.getLogger(__name__)

_SESSION_MS = 6_000  # the least that Kafka's brokers allow by default
_HEARTBEAT_MS = 1_500
_CLOSE_MS = 1_000
_POLL_MS = 500
_RETRY_S = 0.5


class Lead:
    """A place in the group `<namespace>.trainer-lead.<epoch>`, whose longest member leads.

    Kafka is the judge: a leader that is killed is out of the group when its session of 6 s ends
    (at once where it comes back under the same `settings.instance`), one that leaves is out at
    once, and the next in line leads. A leader that comes back after it was out, as one that was
    frozen, is the last in line: the one who took over keeps the lead. The group reads nothing; a
    partition is what it shares.

    Raises BrokerUnavailable or TopicError from the constructor.
    """

    def __init__(self, settings: Settings, since_ms: int, now_ms: Callable[[], int]) -> None:
        """`since_ms`: when this trainer began to wait."""
        order = LongestFirst(since_ms)
        topic = topic_name(settings.namespace, POSITIVES)
        try:
            self._consumer: Any = KafkaConsumer(
                **settings.kafka.client_options(),
                group_id=f"{settings.namespace}.trainer-lead.{settings.towers.epoch}",
                group_instance_id=settings.instance,
                partition_assignment_strategy=[order],
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_HEARTBEAT_MS,
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                reconnect_backoff_max_ms=RECONNECT_MS,
            )
        except KafkaError as error:
            raise BrokerUnavailable(str(error)) from error
        try:
            # Of all topics: asking for one by name may create it, with the broker's own layout.
            missing = topic not in self._consumer.topics()
        except KafkaError as error:
            self._consumer.close(autocommit=False)
            raise BrokerUnavailable(str(error)) from error
        if missing:
            self._consumer.close(autocommit=False)
            msg = f"topic must exist: {topic}; run `penstock topics create`"
            raise TopicError(msg)
        self._listener = LeadListener(self._consumer, order, now_ms)
        self._consumer.subscribe([topic], listener=self._listener)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="lead", daemon=True)
        self._thread.start()

    @property
    def held(self) -> bool:
        """Whether this trainer leads, as far as Kafka has said.

        While Kafka does not answer it stays as it was: nobody else can be told that he leads.
        """
        return self._listener.leads

    def close(self) -> None:
        """Leave the group, so that the next in line leads at once."""
        self._closing.set()
        self._thread.join()
        self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)

    def _follow(self) -> None:
        """The thread: takes part in the group, which may take longer than a click may wait."""
        while not self._closing.is_set():
            try:
                self._consumer.poll(timeout_ms=_POLL_MS)
            except KafkaError as error:
                log.warning("lead=unsure error=%r action=retrying", str(error))
                self._closing.wait(_RETRY_S)


class LongestFirst(AbstractPartitionAssignor):  # type: ignore[misc]  # kafka-python has no types
    """Gives every partition to the member that has waited longest, so that no newcomer moves it."""

    name = "penstock-longest-first"

    def __init__(self, since_ms: int) -> None:
        self.since_ms = since_ms
        """When this member began to wait; told at its next join."""

    def metadata(self, topics: Collection[str]) -> Any:
        """What this member says of itself when it joins."""
        since = struct.pack(">Q", self.since_ms)  # big-endian: ordered as bytes are
        return ConsumerProtocolSubscription(0, list(topics), since)

    def assign(self, cluster: Any, members: Collection[Any]) -> dict[str, Any]:
        """All partitions to one member, by member id."""
        first = min(members, key=lambda one: (bytes(one.metadata.user_data), one.member_id))
        return {
            member.member_id: ConsumerProtocolAssignment(
                0,
                [
                    (topic, sorted(cluster.partitions_for_topic(topic) or ()))
                    for topic in member.metadata.topics
                ]
                if member is first
                else [],
                b"",
            )
            for member in members
        }

    def on_assignment(self, assignment: Any, generation: int) -> None:
        """Nothing to remember."""


class LeadListener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Who leads is what the last finished rebalance says, also while the next is under way."""

    def __init__(self, consumer: Any, order: LongestFirst, now_ms: Callable[[], int]) -> None:
        self._consumer = consumer
        self._order = order
        self._now_ms = now_ms
        self.leads = False

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Every rebalance begins so, also one that gives everything back."""

    def on_partitions_lost(self, lost: Any) -> None:
        """It was out of the group: another may have led, and what is known here is of before."""
        self.leads = False
        self._order.since_ms = self._now_ms()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """The rebalance is finished."""
        self._consumer.pause(*assigned)
        self.leads = bool(assigned)

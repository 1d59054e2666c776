"""Which shards of its replica a node is to hold: what its consumer group says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from index_service.connecting import connected
from schemas.settings import Settings

_SESSION_MS = 6_000
"""A node that dies is missed after this time; the least that a broker allows by default."""
_POLL_MS = 1_000
_RETRY_S = 0.5

_log = logging.getLogger(__name__)


class ShardShare:
    """A place in the group `<namespace>.index.<replica>`, which shares out the partitions.

    It reads nothing: what a node reads goes on while the group makes up its mind, and stays as it
    was while Kafka does not answer. Sticky, so that a node that joins or dies moves few shards.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self.partitions: frozenset[int] | None = None
        """The node's own, as last told; None until the group has spoken."""
        self.told = asyncio.Event()
        """Set once it has."""

    async def run(self) -> None:
        """Take part until cancelled; join again after an error that ends the consumer."""
        while True:
            async with connected(self._consumer, "shares") as consumer:
                consumer.subscribe([self._topic], listener=_Listener(self, consumer))
                try:
                    while True:
                        await consumer.getmany(timeout_ms=_POLL_MS)
                except KafkaError as error:
                    _log.warning("event=share_unsure error=%r", str(error))
            await asyncio.sleep(_RETRY_S)

    def tell(self, partitions: Collection[int]) -> None:
        """What the group has decided."""
        self.partitions = frozenset(partitions)
        self.told.set()
        _log.info("event=shards_assigned shards=%s", sorted(partitions))

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._settings.kafka.client_options(),
            group_id=f"{self._settings.namespace}.index.{self._settings.index.replica}",
            group_instance_id=self._settings.instance,
            partition_assignment_strategy=[StickyPartitionAssignor],
            auto_offset_reset="latest",
            enable_auto_commit=False,
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_SESSION_MS // 4,
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, share: ShardShare, consumer: AIOKafkaConsumer) -> None:
        self._share = share
        self._consumer = consumer

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Every rebalance begins so, also one that gives everything back."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """The rebalance is finished."""
        self._consumer.pause(*assigned)
        self._share.tell({partition.partition for partition in assigned})

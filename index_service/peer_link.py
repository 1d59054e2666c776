"""How a node talks with the others: what it holds, what it asks, what it is asked."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from index_service.connecting import connected
from index_service.figures import NodeFigures
from index_service.node_index import NodeIndex
from index_service.peers import Peers
from index_service.polling import Record, poll
from index_service.shard_answers import ShardAnswers, read_shard_call
from index_service.shard_calls import ShardCalls
from schemas.codec import Decoder, encode
from schemas.errors import DecodeError
from schemas.recall import CORRELATION_ID, DEADLINE_MS, REPLY_PARTITION
from schemas.settings import Settings
from schemas.shards import NodeState
from schemas.topics import (
    RECALL_NODES,
    RECALL_SHARD_QUERIES,
    RECALL_SHARD_REPLIES,
    partition_of,
    topic_name,
)

_TELL_S = 0.25
_POLL_MS = 1_000
_MAX_RECORDS = 256
_RETRY_S = 0.5

_log = logging.getLogger(__name__)
_state_decoder: Decoder[NodeState] = Decoder(NodeState)


class PeerLink:
    """Reads what nodes say and ask, tells what this one holds, and answers.

    A node listens on one partition of the queries and of the answers, by its name. Nothing here
    raises for Kafka's sake: a node that can't talk to others answers with what it has.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        index: NodeIndex,
        producer: AIOKafkaProducer,
        figures: NodeFigures,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._name = name
        self._producer = producer
        self._figures = figures
        self._now_ms = now_ms
        self._answers = ShardAnswers(settings, index)
        partitions = settings.topics.partitions
        self._nodes = topic_name(settings.namespace, RECALL_NODES)
        self._queries = topic_name(settings.namespace, RECALL_SHARD_QUERIES)
        self._replies = topic_name(settings.namespace, RECALL_SHARD_REPLIES)
        self._sending: set[asyncio.Task[None]] = set()
        self.index = index
        self.peers = Peers(name, settings.index.replica)
        self.calls = ShardCalls(self._send_call, partition_of(name.encode(), partitions))

    def held_in_replica(self) -> set[int]:
        """Shards that other nodes of this replica can be asked about."""
        return self.peers.held_in_replica(self._now_ms())

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._tell())

    async def leave(self) -> None:
        """Tell the others not to ask any more; at once, or not at all."""
        state = NodeState(self._name, self._settings.index.replica, leaving=True)
        try:
            await asyncio.wait_for(self._send_state(state), _RETRY_S)
        except (KafkaError, OSError, TimeoutError) as error:
            _log.debug("event=left_unheard error=%r", str(error))

    async def _listen(self) -> None:
        own = partition_of(self._name.encode(), self._settings.topics.partitions)
        places = [
            TopicPartition(self._nodes, 0),
            TopicPartition(self._queries, own),
            TopicPartition(self._replies, own),
        ]
        options = {"enable_auto_commit": False, "auto_offset_reset": "latest"}
        while True:
            async with connected(
                lambda: AIOKafkaConsumer(**self._settings.kafka.client_options(), **options),
                "peers",
            ) as consumer:
                consumer.assign(places)
                try:
                    for place in places:
                        await consumer.position(place)  # "latest" means from here on
                    while True:
                        for polled in (await poll(consumer, _POLL_MS, _MAX_RECORDS)).values():
                            for record in polled:
                                self._take(record)
                                await asyncio.sleep(0)  # recall gets its turn
                except KafkaError as error:
                    _log.warning("event=peers_unreadable error=%r", str(error))
            await asyncio.sleep(_RETRY_S)

    def _take(self, record: Record) -> None:
        try:
            if record.topic == self._nodes:
                self.peers.hear(_state_decoder.decode(record.value or b""), self._now_ms())
            elif record.topic == self._replies:
                self.calls.take(record.headers, record.value)
            elif record.key == self._name.encode():
                self._answer(record)
        except (DecodeError, struct.error) as error:
            self._figures.counts["bad_records"] += 1
            place = (record.topic, record.partition, record.offset)
            text = "event=bad_peer_record topic=%s partition=%d offset=%d error=%r"
            _log.warning(text, *place, str(error))

    def _answer(self, record: Record) -> None:
        headers = dict(record.headers)
        deadline = headers.get(DEADLINE_MS) or b""
        if deadline.isdigit() and self._now_ms() > int(deadline):
            self._figures.counts["shard_calls_late"] += 1
            return
        (partition,) = struct.unpack(">i", headers.get(REPLY_PARTITION) or b"")
        if not 0 <= partition < self._settings.topics.partitions:
            msg = f"a call's reply partition must be one of {self._replies}; got {partition}"
            raise DecodeError(msg)
        started_s = time.perf_counter()
        answer = self._answers.answer(read_shard_call(record.value))
        self._figures.counts["shard_calls_answered"] += 1
        self._figures.shard_call_ms.add(1e3 * (time.perf_counter() - started_s))
        correlation = [(CORRELATION_ID, headers.get(CORRELATION_ID) or b"")]
        self._send(self._replies, encode(answer), None, partition, correlation)

    def _send_call(self, node: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        partition = partition_of(node.encode(), self._settings.topics.partitions)
        self._send(self._queries, value, node.encode(), partition, headers)

    def _send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        partition: int,
        headers: list[tuple[str, bytes]],
    ) -> None:
        """Some time soon; one that does not get there is noticed by who waits for it."""

        async def send() -> None:
            try:
                await self._producer.send(topic, value, key, partition, headers=headers)
            except (KafkaError, OSError) as error:
                _log.debug("event=unsent topic=%s error=%r", topic, str(error))

        task = asyncio.create_task(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _tell(self) -> None:
        """What can be asked here, a few times a second."""
        while True:
            state = NodeState(
                self._name,
                self._settings.index.replica,
                sorted(self.index.ready),
                self.index.fields,
            )
            try:
                await asyncio.wait_for(self._send_state(state), 4 * _TELL_S)
            except (KafkaError, OSError, TimeoutError) as error:
                _log.debug("event=untold error=%r", str(error))
            await asyncio.sleep(_TELL_S)

    async def _send_state(self, state: NodeState) -> None:
        await self._producer.send_and_wait(
            self._nodes, encode(state), self._name.encode(), partition=0
        )

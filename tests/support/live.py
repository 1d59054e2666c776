"""A live stack as its users see it, and what tests do with it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from index_service import RecallClient
from ops.broker import admin
from ops.role_status import connect, read_statuses
from ops.stack import Stack
from ops.user_records import read_user
from schemas.codec import Decoder
from schemas.dead_letters import DeadLetter
from schemas.events import Event, FeatureValue, Item
from schemas.samples import Sample, SampleBatch
from schemas.settings import Settings
from schemas.status import Role
from schemas.topics import DEAD_LETTERS, EVENTS, topic_name
from schemas.vectors import UserRecord
from streams import EventProducer
from tests.support.polling import eventually

WINDOW_MS = 2_000


def fast_settings(settings: Settings, namespace: str) -> Settings:
    """Settings whose windows and periods are short enough to wait for."""
    data_dir = settings.embedded.data_dir
    return settings.model_copy(
        update={
            "namespace": namespace,
            "labelling": settings.labelling.model_copy(
                update={"window_ms": WINDOW_MS, "lateness_ms": 200}
            ),
            # MovieLens is replayed, whose users chose themselves what they saw.
            "towers": settings.towers.model_copy(update={"blend_against": "catalogue"}),
            "trainer": settings.trainer.model_copy(
                update={"checkpoint_every_s": 1.0, "checkpoint_dir": data_dir / "checkpoints"}
            ),
        }
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Live:
    """A running stack with a producer and a recall client."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.settings = stack.settings
        self.producer = EventProducer(self.settings)
        self.client = RecallClient(self.settings)
        # One for all reading: kafka-python's clients are slow to open, and leak when closed often.
        self._reader = KafkaConsumer(
            bootstrap_servers=self.settings.kafka.bootstrap_servers, enable_auto_commit=False
        )
        self._requests = 0

    def close(self) -> None:
        self._reader.close()
        self.client.close()
        self.producer.close()

    def figures(self, role: Role) -> dict[str, float]:
        """What the role last said of itself; empty while it has said nothing."""
        for status in read_statuses(self.settings):
            if status.role == role and status.instance.endswith(f":{self.stack.role(role).pid}"):
                return status.figures
        return {}

    def figure(self, role: Role, name: str) -> float:
        return self.figures(role).get(name, 0.0)

    def user(self, user_id: str) -> UserRecord | None:
        with connect(self.settings.redis) as client:
            return read_user(client, self.settings, user_id)

    def put_items(self, items: Iterable[Item]) -> list[str]:
        """Publish items and wait until each can be recalled."""
        ids = []
        for item in items:
            self.producer.put_item(item)
            ids.append(item.item_id)
        self.producer.flush()
        for item_id in ids:
            self.await_searchable(item_id)
        return ids

    def await_searchable(self, item_id: str) -> None:
        eventually(
            lambda: self.client.recall(item_ids=[item_id], k=1, timeout_s=5).status,
            lambda status: status == "ok",
            f"{item_id} can be recalled",
        )

    def visit(
        self,
        user_id: str,
        shown: Iterable[str],
        clicked: Iterable[str] = (),
        action: str = "click",
        **context: FeatureValue,
    ) -> list[Event]:
        """Publish a request's exposures and clicks, in a context; returns them."""
        self._requests += 1
        request_id = f"{user_id}-{self._requests}"
        ts_ms = now_ms()
        acts = [("exposure", item) for item in shown] + [(action, item) for item in clicked]
        events = [
            Event(action, user_id, item, request_id, ts_ms, context=context)
            for action, item in acts
        ]
        self.producer.send_many(events)
        self.producer.flush()
        return events

    def await_refreshed(self, user_id: str, ts_ms: int) -> UserRecord:
        record = eventually(
            lambda: self.user(user_id),
            lambda found: found is not None and found.event_ts_ms >= ts_ms,
            f"the vector of {user_id} has the event of {ts_ms}",
        )
        assert record is not None
        return record

    def recalled(self, user_id: str, k: int = 10, **options: Any) -> list[str]:
        reply = self.client.recall(user_id, k=k, timeout_s=5, **options)
        return [item.item_id for item in reply.items]

    def send_raw(self, value: bytes | None, key: bytes = b"u") -> None:
        """Put any bytes on `events`."""
        producer = KafkaProducer(
            bootstrap_servers=self.settings.kafka.bootstrap_servers, max_request_size=50_000_000
        )
        try:
            future = producer.send(
                topic_name(self.settings.namespace, EVENTS), key=key, value=value
            )
            future.get(timeout=10)
        finally:
            producer.close()

    def allow_records_of(self, topic: str, size_bytes: int) -> None:
        """Raise the broker's limit for one topic."""
        name = topic_name(self.settings.namespace, topic)
        limit = {"max.message.bytes": str(size_bytes)}
        with admin(self.settings) as client:
            client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, limit)])

    def read_all(self, topic: str) -> list[bytes]:
        """Every value now on the topic."""
        name = topic_name(self.settings.namespace, topic)
        consumer = self._reader
        parts = [TopicPartition(name, p) for p in consumer.partitions_for_topic(name) or ()]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        values: list[bytes] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(timeout_ms=200).values():
                values.extend(record.value for record in records)
        return values

    def samples(self, topic: str) -> list[Sample]:
        decoder = Decoder[SampleBatch](SampleBatch)
        return [
            sample for value in self.read_all(topic) for sample in decoder.decode(value).stated()
        ]

    def dead_letters(self) -> list[DeadLetter]:
        decoder = Decoder[DeadLetter](DeadLetter)
        return [decoder.decode(value) for value in self.read_all(DEAD_LETTERS)]

    def kill_and_restart(self, role: Role) -> None:
        """kill -9 the role, start it again and wait until it is ready."""
        self.stack.role(role).kill()
        self.stack.start_role(role)
        self.stack.wait_ready()

"""The floor of a click's way: a Faust agent, a polling consumer and Redis, and no model.

Two processes, as in the real chain: `agent` copies each record of one topic to another, `writer`
polls that and sets the record's key in Redis to its value.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import cast

import faust
import redis
from kafka import KafkaConsumer
from kafka.admin import NewTopic

from ops.broker import admin
from ops.children import Child
from ops.stack import environment
from schemas.settings import Settings, load_settings

EVENTS = "floor-events"
LABELS = "floor-labels"
_POLL_MS = 1_000


def floor_topic(settings: Settings, name: str) -> str:
    return f"{settings.namespace}.{name}"


def create_floor_topics(settings: Settings) -> list[str]:
    """The names of the chain's two topics, which are new."""
    names = [floor_topic(settings, name) for name in (EVENTS, LABELS)]
    with admin(settings) as client:
        client.create_topics([NewTopic(name, settings.topics.partitions, 1) for name in names])
    return names


def agent_app(settings: Settings) -> faust.App:
    """Nothing on its way waits: no linger, no table, no acknowledgement to wait for."""
    app = faust.App(
        f"{settings.namespace}.floor-agent",
        datadir=settings.embedded.data_dir / "floor-agent",
        broker=f"kafka://{settings.kafka.bootstrap_servers}",
        store="memory://",
        stream_wait_empty=False,
        producer_linger=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        autodiscover=False,
    )
    events, labels = (
        app.topic(
            floor_topic(settings, name),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        for name in (EVENTS, LABELS)
    )

    async def copy(stream: faust.StreamT[bytes]) -> None:
        async for event in cast(faust.Stream[bytes], stream).events():
            await labels.send(key=event.key, value=event.value)

    app.agent(events, name="copy")(copy)
    return app


async def run_agent(settings: Settings) -> None:
    """Until killed."""
    app = agent_app(settings)
    await app.start()
    await asyncio.Event().wait()


def run_writer(settings: Settings) -> None:
    """Until killed."""
    consumer = KafkaConsumer(
        floor_topic(settings, LABELS),
        **settings.kafka.client_options(),
        group_id=f"{settings.namespace}.floor-writer",
        auto_offset_reset="earliest",
    )
    client = redis.Redis.from_url(settings.redis.url.get_secret_value())
    while True:
        for records in consumer.poll(timeout_ms=_POLL_MS).values():
            for record in records:
                client.set(record.key, record.value)


def chain(settings: Settings, folder: Path) -> list[Child]:
    """Both processes, just started; their topics are there."""
    env = environment(settings) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return [
        Child(name, [sys.executable, "-m", __name__, name], folder / f"floor-{name}.log", env)
        for name in ("agent", "writer")
    ]


if __name__ == "__main__":
    if sys.argv[1] == "agent":
        asyncio.run(run_agent(load_settings()))
    else:
        run_writer(load_settings())

"""Starting Kafka clients however long the broker takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from typing import NamedTuple, Protocol, TypeVar

from aiokafka.errors import KafkaError
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError as BrokerError

from schemas.errors import TopicError
from schemas.settings import KafkaSettings

_RETRY_S = 0.5
_BOOTSTRAP_MS = 2_000
_STOP_S = 1.0
"""A client says goodbye to the broker within this time or not at all: it may be gone."""

_log = logging.getLogger(__name__)


class KafkaClient(Protocol):
    """What aiokafka's consumer and producer have in common."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Say goodbye."""


C = TypeVar("C", bound=KafkaClient)


@contextlib.asynccontextmanager
async def connected(make: Callable[[], C], role: str) -> AsyncIterator[C]:
    """A started client, stopped at the end. Tries until the broker answers; logs the first time."""
    client = await _start(make, role)
    try:
        yield client
    finally:
        await _stop(client, role)


class TopicLayout(NamedTuple):
    """A topic as the broker has it."""

    partitions: list[int]
    identity: str
    """Its name, and its id where the broker gives ids: a topic made anew is another."""


async def layout_of_topic(kafka: KafkaSettings, topic: str) -> TopicLayout:
    """How the topic is laid out. Tries until the broker answers and has the topic."""
    waiting = False
    while True:
        try:
            return await asyncio.to_thread(_ask_layout, kafka, topic)
        except (BrokerError, OSError, TopicError) as error:
            if not waiting:
                _log.warning("event=waiting_for_topic topic=%s error=%r", topic, str(error))
            waiting = True
            await asyncio.sleep(_RETRY_S)


def _ask_layout(kafka: KafkaSettings, topic: str) -> TopicLayout:
    # kafka-python's: aiokafka's knows no topic ids.
    options = {"bootstrap_timeout_ms": _BOOTSTRAP_MS}
    with closing(KafkaAdminClient(**kafka.client_options(), **options)) as admin:
        # Of all topics: asking for one by name may create it, with the broker's own layout.
        for described in admin.describe_topics():
            if described["name"] == topic and described["partitions"]:
                partitions = sorted(
                    int(each["partition_index"]) for each in described["partitions"]
                )
                return TopicLayout(partitions, f"{topic}/{described.get('topic_id')}")
    msg = f"topic must exist: {topic}; run `penstock topics create`"
    raise TopicError(msg)


async def _start(make: Callable[[], C], role: str) -> C:
    waiting = False
    while True:
        client = make()
        try:
            await client.start()
        except (KafkaError, OSError) as error:
            await _stop(client, role)
            if not waiting:
                _log.warning("event=waiting_for_broker client=%s error=%r", role, str(error))
            waiting = True
            await asyncio.sleep(_RETRY_S)
        except BaseException:
            await _stop(client, role)
            raise
        else:
            if waiting:
                _log.info("event=broker_found client=%s", role)
            return client


async def _stop(client: KafkaClient, role: str) -> None:
    try:
        await asyncio.wait_for(client.stop(), _STOP_S)
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("event=stopped_without_goodbye client=%s error=%r", role, str(error))

"""Answers every recall request with the same reply: the floor of a call over this broker.

Runs as a process of its own, like an index node, with the settings of its environment.
"""

from __future__ import annotations

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.codec import encode
from schemas.recall import (
    CORRELATION_ID,
    REPLY_PARTITION,
    REPLY_TOPIC,
    RecalledItem,
    RecallReply,
)
from schemas.settings import Settings, load_settings
from schemas.topics import RECALL_REQUESTS, topic_name

_POLL_MS = 1_000


async def echo(settings: Settings, k: int) -> None:
    """Until cancelled or killed; each reply has k items."""
    options = settings.kafka.client_options()
    consumer = AIOKafkaConsumer(
        topic_name(settings.namespace, RECALL_REQUESTS),
        **options,
        group_id=f"{settings.namespace}.echo",
        auto_offset_reset="latest",
    )
    producer = AIOKafkaProducer(**options, linger_ms=0, acks=1)
    items = [RecalledItem(f"i{number}", 1.0 / (1 + number), "nearest") for number in range(k)]
    value = encode(RecallReply("ok", items))
    async with consumer, producer:
        for partition in consumer.assignment():
            await consumer.position(partition)  # "latest" means from here on
        while True:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    headers = dict(record.headers)
                    await producer.send(
                        headers[REPLY_TOPIC].decode(),
                        value,
                        partition=int.from_bytes(headers[REPLY_PARTITION], "big"),
                        headers=[(CORRELATION_ID, headers[CORRELATION_ID])],
                    )


if __name__ == "__main__":
    asyncio.run(echo(load_settings(), k=int(sys.argv[1])))

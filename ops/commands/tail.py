"""`penstock tail`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from kafka import KafkaConsumer, TopicPartition

from ops.broker import check_topics
from ops.console import print_json
from schemas.channels import CHANNELS
from schemas.codec import Decoder, content_type
from schemas.errors import DecodeError
from schemas.settings import Settings, load_settings
from schemas.topics import topic_name
from schemas.vectors import ItemVector, unpack_vector

TopicName = StrEnum("TopicName", {topic: topic for topic in CHANNELS})  # type: ignore[misc]
"""The topics as choices of the command line."""


def tail(
    topic: Annotated[TopicName, typer.Argument(help="Which topic, without the namespace.")],
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", "-b", help="Start with the oldest record kept.")
    ] = False,
    count: Annotated[int | None, typer.Option("-n", min=1, help="End after so many.")] = None,
    follow: Annotated[
        bool, typer.Option(help="Wait for new records; else end at the present end.")
    ] = True,
) -> None:
    """Decode a topic's records, one JSON object a line.

    **Examples**

    `penstock tail events`

    `penstock tail dead-letters --from-beginning --no-follow`

    `penstock tail item-vectors -b -n 1`
    """
    with contextlib.suppress(KeyboardInterrupt):
        for number, line in enumerate(
            _records(load_settings(), topic.value, from_beginning, follow), start=1
        ):
            print_json(line)
            if number == count:
                break


def _records(
    settings: Settings, topic: str, from_beginning: bool, follow: bool
) -> Iterator[dict[str, object]]:
    name = topic_name(settings.namespace, topic)
    check_topics(settings, {name})
    decoder = Decoder[object](CHANNELS[topic].wire_type)
    with contextlib.closing(
        KafkaConsumer(**settings.kafka.client_options(), enable_auto_commit=False)
    ) as consumer:
        parts = [TopicPartition(name, p) for p in consumer.partitions_for_topic(name) or ()]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts)
        if from_beginning:
            consumer.seek_to_beginning(*parts)
        else:
            consumer.seek_to_end(*parts)
        while follow or any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    yield _describe(record, decoder)


def _describe(record: Any, decoder: Decoder[object]) -> dict[str, object]:
    line: dict[str, object] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "ts_ms": record.timestamp,
        "key": None if record.key is None else record.key.decode(errors="replace"),
    }
    if record.headers:
        line["headers"] = {name: (value or b"").hex() for name, value in record.headers}
    try:
        message = record.value and decoder.decode(record.value, content_type(record.headers))
    except DecodeError as error:
        line["undecodable"] = str(error)
        line["bytes"] = record.value
        return line
    if isinstance(message, ItemVector):
        plain = msgspec.to_builtins(message)
        plain["vector"] = [round(float(value), 4) for value in unpack_vector(message.vector)]
        message = plain
    line["value"] = message
    return line

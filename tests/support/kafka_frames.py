"""Kafka frames made by kafka-python's encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka.protocol.consumer.fetch import FetchRequest, FetchResponse
from kafka.protocol.producer.produce import ProduceRequest

from ops.embedded.frames import framed


def encoded(message: Any, correlation: int = 7) -> bytes:
    message.with_header(correlation)
    return bytes(message.encode(header=True, framed=True))


def fetch_request(
    topics: Mapping[str, int],
    version: int = 11,
    max_wait_ms: int = 500,
    min_bytes: int = 1,
    correlation: int = 7,
) -> bytes:
    """A fetch of so many partitions of each topic."""
    topic, part = FetchRequest.FetchTopic, FetchRequest.FetchTopic.FetchPartition
    asked = [
        topic(
            version=version,
            topic=name,
            partitions=[
                part(version=version, partition=index, fetch_offset=3, partition_max_bytes=1 << 20)
                for index in range(count)
            ],
        )
        for name, count in topics.items()
    ]
    request = FetchRequest(
        version=version, max_wait_ms=max_wait_ms, min_bytes=min_bytes, topics=asked
    )
    return encoded(request, correlation)


def fetch_answer(
    records: bytes | None = b"",
    version: int = 11,
    error: int = 0,
    top_error: int = 0,
    session: int = 0,
    correlation: int = 7,
) -> bytes:
    """An empty partition, then one with these records or this error."""
    topic = FetchResponse.FetchableTopicResponse
    parts = [
        topic.PartitionData(
            version=version,
            partition_index=index,
            error_code=code,
            high_watermark=9,
            aborted_transactions=[],
            records=value,
        )
        for index, (code, value) in enumerate([(0, b""), (error, records)])
    ]
    response = FetchResponse(
        version=version,
        error_code=top_error,
        session_id=session,
        responses=[topic(version=version, topic="t", partitions=parts)],
    )
    return encoded(response, correlation)


def produce_request(
    topics: Mapping[str, bytes], version: int = 8, acks: int = 1, correlation: int = 7
) -> bytes:
    topic = ProduceRequest.TopicProduceData
    data = [
        topic(
            version=version,
            name=name,
            partition_data=[topic.PartitionProduceData(version=version, index=0, records=records)],
        )
        for name, records in topics.items()
    ]
    request = ProduceRequest(version=version, acks=acks, timeout_ms=100, topic_data=data)
    return encoded(request, correlation)


def any_request(key: int, correlation: int, version: int = 0) -> bytes:
    """A request of which only the header is told."""
    header = key.to_bytes(2, "big") + version.to_bytes(2, "big")
    return framed(header + correlation.to_bytes(4, "big") + b"\xff\xff")


def any_answer(correlation: int, body: bytes = b"") -> bytes:
    return framed(correlation.to_bytes(4, "big", signed=True) + body)

"""Topics: names, keys, layout, and the partition of a key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from kafka.partitioner.default import murmur2

from schemas.settings import Settings

EVENTS = "events"
ITEMS = "items"
POSITIVES = "positives"
NEGATIVES = "negatives"
ITEM_VECTORS = "item-vectors"
RECALL_REQUESTS = "recall.requests"
RECALL_REPLIES = "recall.replies"
RECALL_NODES = "recall.nodes"
RECALL_SHARD_QUERIES = "recall.shard-queries"
RECALL_SHARD_REPLIES = "recall.shard-replies"
DEAD_LETTERS = "dead-letters"

_KEYS_KNOWN = 100_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True)
class TopicSpec:
    """How one topic is laid out on the broker."""

    name: str
    """With the namespace in front."""
    partitions: int
    config: dict[str, str]


def topic_name(namespace: str, topic: str) -> str:
    """`<namespace>.<topic>`"""
    return f"{namespace}.{topic}"


@lru_cache(_KEYS_KNOWN)  # murmur2 in Python is slow, and keys come again and again
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, 0 to partitions - 1, as Kafka's own clients choose it (murmur2)."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """Every topic that the settings ask for."""
    deleted_after = {
        EVENTS: 7 * _DAY_MS,
        POSITIVES: 7 * _DAY_MS,
        NEGATIVES: 7 * _DAY_MS,
        RECALL_REQUESTS: _HOUR_MS,
        RECALL_REPLIES: _HOUR_MS,
        RECALL_NODES: _HOUR_MS,
        RECALL_SHARD_QUERIES: _HOUR_MS,
        RECALL_SHARD_REPLIES: _HOUR_MS,
        DEAD_LETTERS: 30 * _DAY_MS,
    }
    partitions = {
        EVENTS: settings.topics.partitions,
        ITEMS: settings.topics.partitions,
        POSITIVES: settings.topics.partitions,  # a label stays on its event's partition
        NEGATIVES: settings.topics.partitions,
        ITEM_VECTORS: settings.topics.shards,
        RECALL_REQUESTS: settings.topics.partitions,
        RECALL_REPLIES: settings.topics.partitions,
        RECALL_NODES: 1,
        RECALL_SHARD_QUERIES: settings.topics.partitions,
        RECALL_SHARD_REPLIES: settings.topics.partitions,
        DEAD_LETTERS: 1,
    }
    return [
        TopicSpec(
            topic_name(settings.namespace, topic),
            count,
            {"cleanup.policy": "delete", "retention.ms": str(deleted_after[topic])}
            if topic in deleted_after
            else {"cleanup.policy": "compact"},
        )
        for topic, count in partitions.items()
    ]

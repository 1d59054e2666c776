"""Reads back what the index was really told."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np

from schemas.codec import Decoder, content_type
from schemas.errors import DecodeError, TopicError
from schemas.settings import Settings
from schemas.topics import ITEM_VECTORS, topic_name
from schemas.vectors import ItemVector, unpack_vector
from towers.inbox import Inbox
from towers.learner import Learner
from towers.publisher import OTHERWISE, Publisher

log = logging.getLogger(__name__)

_POLL_MS = 100
_POLL_RECORDS = 2_000


class ReadBack(NamedTuple):
    """What was found on `item-vectors`."""

    positions: dict[int, int]
    """Its end, by partition."""
    strangers: set[str]
    """Items on it that the learner does not know."""


def read_back(
    settings: Settings,
    positions: dict[int, int],
    learner: Learner,
    publisher: Publisher,
    afresh: bool = False,
) -> ReadBack:
    """Bring the publisher up to the end of `item-vectors`, from what was known of it.

    `afresh`, or should the broker have lost records since, what was known is forgotten, and all
    that is published is learned from the beginning.

    Raises TopicError when the topic is missing or has another number of partitions than there
    are shards, and BrokerUnavailable.
    """
    topic = topic_name(settings.namespace, ITEM_VECTORS)
    decoder = Decoder[ItemVector](ItemVector)
    inbox = Inbox(settings.kafka, [topic], {} if afresh else {topic: positions})
    strangers: set[str] = set()
    records = 0
    try:
        if inbox.partitions(topic) != settings.topics.shards:
            msg = (
                f"{topic} must have one partition per shard: it has {inbox.partitions(topic)}, "
                f"topics.shards is {settings.topics.shards}; put the setting back, or create the "
                "topic anew"
            )
            raise TopicError(msg)
        if afresh or inbox.rewound:
            publisher.forget_all()
            learner.mark_changed(np.arange(len(learner.vectors)))
        while inbox.missing_at_start():
            for record in inbox.poll(_POLL_MS, _POLL_RECORDS):
                records += 1
                item_id = (record.key or b"").decode(errors="replace")
                found = None
                if record.value is not None:
                    try:
                        found = decoder.decode(record.value, content_type(record.headers))
                    except DecodeError as error:
                        log.warning(
                            "record=undecodable topic=%s partition=%d offset=%d error=%r",
                            record.topic,
                            record.partition,
                            record.offset,
                            str(error),
                        )
                        continue
                _take(item_id, found, settings, learner, publisher, strangers)
        positions = inbox.positions[topic]
    finally:
        inbox.close()
    log.info("item_vectors=read_back records=%d strangers=%d", records, len(strangers))
    return ReadBack(positions, strangers)


def _take(
    item_id: str,
    found: ItemVector | None,
    settings: Settings,
    learner: Learner,
    publisher: Publisher,
    strangers: set[str],
) -> None:
    catalogue = learner.world.catalogue
    row = catalogue.row(item_id)
    if row is None:
        if found is None:
            strangers.discard(item_id)
        else:
            strangers.add(item_id)
    elif found is None:
        publisher.found_deleted(row)
    else:
        towers = settings.towers
        ours = found.epoch == towers.epoch and len(found.vector) == 4 * towers.dim
        same = (
            ours
            and found.attributes == catalogue.attributes(row)
            and found.available == catalogue.available(row)
        )
        publisher.found(
            row,
            unpack_vector(found.vector) if ours else learner.vectors[row],
            found.counts,
            found.trend_clock,
            int(catalogue.versions[row]) if same else OTHERWISE,
        )

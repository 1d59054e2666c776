"""Writes vectors of a file to `item-vectors`, in place of all that is there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple

import numpy as np

from ops.progress import progress
from ops.topic_records import topic_records
from schemas.codec import Decoder, content_type, encode
from schemas.errors import BrokerUnavailable, DecodeError, TopicError
from schemas.events import Item
from schemas.settings import Settings
from schemas.topics import ITEM_VECTORS
from schemas.vectors import ItemVector, pack_vector
from towers.graph.vector_file import VectorFile
from towers.vector_writer import VectorWriter

_PATIENCE_S = 30.0
_PAUSE_S = 0.02
LOADED_STEP = 0
"""Of vectors from a file; what a trainer has learned has a later one."""

_vectors = Decoder[ItemVector](ItemVector)


class Done(NamedTuple):
    """How many items."""

    written: int
    deleted: int
    without_direction: int


def load_index(
    settings: Settings, content: VectorFile, items: Mapping[str, Item], replace: bool, now_ms: int
) -> Done:
    """Write every vector at length 1, and delete what the topic has and the file has not.

    Raises TopicError where a trainer has learned what is there, unless `replace`, and
    BrokerUnavailable where the broker takes no more.
    """
    published = _published(settings)
    learned = sum(step > LOADED_STEP for step in published.values())
    if learned and not replace:
        msg = (
            f"an index is loaded where no trainer has published; {learned} of its {len(published)} "
            "vectors are learned; stop the trainer and give --replace to lose them, or choose "
            "another namespace"
        )
        raise TopicError(msg)
    lengths = np.linalg.norm(content.vectors, axis=1)  # (items,)
    values: dict[str, bytes | None] = dict.fromkeys(published)
    for item_id, vector, length in zip(content.item_ids, content.vectors, lengths, strict=True):
        if not length:
            continue
        item = items.get(item_id)
        values[item_id] = encode(
            ItemVector(
                item_id=item_id,
                epoch=settings.towers.epoch,
                step=LOADED_STEP,
                vector=pack_vector(vector / length),
                trend_clock=0.0,
                attributes={} if item is None else item.attributes,
                available=item is None or item.available,
                event_ts_ms=0 if item is None else item.ts_ms,
                published_ms=now_ms,
            )
        )
    _send(settings, values)
    written = int((lengths > 0).sum())
    return Done(written, len(values) - written, len(lengths) - written)


def _published(settings: Settings) -> dict[str, int]:
    """The step of each item's vector on the topic."""
    steps: dict[str, int] = {}
    for record in topic_records(settings, ITEM_VECTORS):
        item_id = (record.key or b"").decode(errors="replace")
        if record.value is None:
            steps.pop(item_id, None)
            continue
        try:
            steps[item_id] = _vectors.decode(record.value, content_type(record.headers)).step
        except DecodeError:
            steps[item_id] = LOADED_STEP  # the nodes do not serve it; it goes as any other
    return steps


def _send(settings: Settings, values: Mapping[str, bytes | None]) -> None:
    with (
        closing(VectorWriter(settings, allowed=lambda: True)) as writer,
        progress("loading", len(values), "vectors") as advance,
    ):
        for item_id, value in values.items():
            deadline_s = time.monotonic() + _PATIENCE_S
            while not writer.send(item_id, value):
                if time.monotonic() > deadline_s:
                    raise BrokerUnavailable(_stuck(len(values)))
                time.sleep(_PAUSE_S)
            advance(1)
        if not writer.flush(_PATIENCE_S):
            raise BrokerUnavailable(_stuck(len(values)))


def _stuck(count: int) -> str:
    return (
        f"Kafka takes vectors within {_PATIENCE_S:.0f} s; it did not take all of {count}; see the "
        "log, and load them again"
    )

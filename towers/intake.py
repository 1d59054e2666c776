"""Records of Kafka to calls of the learner."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import groupby
from typing import TypeVar

from schemas.codec import Decoder, content_type
from schemas.errors import DecodeError
from schemas.events import Item
from schemas.samples import SampleBatch
from towers.inbox import Incoming
from towers.learner import Learner

T = TypeVar("T")

log = logging.getLogger(__name__)


class Intake:
    """Decodes items and samples; what can't be decoded is logged, counted and left out."""

    def __init__(self, learner: Learner, items_topic: str) -> None:
        self._learner = learner
        self._items_topic = items_topic
        self._items = Decoder[Item](Item)
        self._samples = Decoder[SampleBatch](SampleBatch)
        self.undecodable = 0
        """Records left out."""

    def take(self, records: Iterable[Incoming]) -> list[str]:
        """Hand the records over, items first; returns the users whose record is stale now."""
        records = list(records)
        items = [record for record in records if record.topic == self._items_topic]
        for deletes, run in groupby(items, key=lambda record: record.value is None):
            if deletes:
                self._learner.delete_items(
                    (record.key or b"").decode(errors="replace") for record in run
                )
            else:
                self._learner.put_items(self._decoded(run, self._items))
        batches = self.batches(record for record in records if record.topic != self._items_topic)
        return self._learner.observe(batches) if batches else []

    def batches(self, records: Iterable[Incoming]) -> list[SampleBatch]:
        """Records of samples, decoded and not yet handed over."""
        return self._decoded(records, self._samples)

    def _decoded(self, records: Iterable[Incoming], decoder: Decoder[T]) -> list[T]:
        decoded = []
        for record in records:
            try:
                decoded.append(decoder.decode(record.value or b"", content_type(record.headers)))
            except DecodeError as error:
                self.undecodable += 1
                log.warning(
                    "record=undecodable topic=%s partition=%d offset=%d error=%r action=skip",
                    record.topic,
                    record.partition,
                    record.offset,
                    str(error),
                )
        return decoded

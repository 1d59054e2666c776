"""Positives and signals at once, from each record by itself; pure and stateless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from schemas.events import EXPOSURE, Event
from schemas.samples import POSITIVE, SIGNAL, Sample, SampleBatch, sample_id
from schemas.settings import LabellingSettings


def label_positives(
    events: Sequence[Event], rules: LabellingSettings, partition: int, offset: int
) -> SampleBatch:
    """The positives and signals of one record, in its order, and how often it shows each item.

    A positive counts with or without its exposure seen. An action repeated on the same
    (request, item) within the record is one sample. `events` hold known actions only.
    """
    samples: dict[int, Sample] = {}
    taken = [event for event in events if event.action != EXPOSURE]
    # Most are exposures, and nothing is done for each of them but to be counted.
    items = Counter([event.item_id for event in events])
    items.subtract([event.item_id for event in taken])
    for event in taken:
        positive = event.action in rules.positives
        identity = sample_id(event.request_id, event.item_id, event.action)
        if identity in samples:
            continue
        samples[identity] = Sample(
            sample_id=identity,
            kind=POSITIVE if positive else SIGNAL,
            action=event.action,
            user_id=event.user_id,
            item_id=event.item_id,
            request_id=event.request_id,
            ts_ms=event.ts_ms,
            weight=rules.positives[event.action] if positive else rules.signals[event.action],
            context=event.context,
        )
    exposures = {item: count for item, count in items.items() if count}
    return SampleBatch(list(samples.values()), partition, offset, exposures)

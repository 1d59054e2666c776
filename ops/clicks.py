"""Positives and items from a file or a topic, for whatever learns from a whole log at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ops.event_files import form_of, read_records
from ops.progress import progress
from ops.topic_records import topic_records
from schemas.codec import CONTENT_TYPE, Decoder, Headers, content_type
from schemas.errors import DatasetError, DecodeError
from schemas.events import Item
from schemas.samples import POSITIVE, Sample, SampleBatch
from schemas.settings import Settings
from schemas.topics import EVENTS, ITEMS, POSITIVES
from streams.decode import EventDecoder
from streams.positives import label_positives
from towers.seen_samples import SeenSamples

_samples = Decoder[SampleBatch](SampleBatch)
_items = Decoder[Item | list[Item]](Item | list[Item])

Records = Iterator[tuple[bytes | None, Headers]]


class Clicks:
    """The positives of a log, each once, by the rules of the live labellers.

    `source` is a file of events, as `penstock label` reads it, or the topic `events` or
    `positives`. Each sample is given once, as far as the newest `trainer.sample_window` tell.
    """

    def __init__(self, settings: Settings, source: str) -> None:
        self._settings, self._source = settings, source
        self._decoder = EventDecoder(settings.labelling)
        self._now_ms = time.time_ns() // 1_000_000
        self.refused: Counter[str] = Counter()
        """What could not be used, by reason; records of a topic of samples as `undecodable`."""
        self.duplicates = 0

    def __iter__(self) -> Iterator[Sample]:
        seen = SeenSamples(self._settings.trainer.sample_window)
        topic = _topic(self._source, (EVENTS, POSITIVES))
        for value, headers in _records(self._settings, self._source, topic):
            for sample in self._read(value, headers, topic == POSITIVES):
                if seen.judge(sample) == "duplicate":
                    self.duplicates += 1
                else:
                    yield sample

    def _read(self, value: bytes | None, headers: Headers, labelled: bool) -> list[Sample]:
        if not labelled:
            decoded = self._decoder.decode(value, headers, self._now_ms)
            self.refused.update(refusal.reason for refusal in decoded.refusals)
            samples = label_positives(decoded.events, self._settings.labelling, 0, 0).samples
        else:
            try:
                samples = _samples.decode(value or b"", content_type(headers)).samples
            except DecodeError:
                self.refused["undecodable"] += 1
                return []
        return [sample for sample in samples if sample.kind == POSITIVE]


def read_items(settings: Settings, source: str) -> dict[str, Item]:
    """The last record of each item, of a file of items or the topic `items`; deleted ones not.

    A file holds an item or an array of items a line or value. Raises DatasetError for another.
    """
    items: dict[str, Item] = {}
    topic = _topic(source, (ITEMS,))
    if topic is not None:
        one = Decoder[Item](Item)
        for kept in topic_records(settings, ITEMS):
            item_id = (kept.key or b"").decode(errors="replace")
            if kept.value is None:
                items.pop(item_id, None)
                continue
            try:
                items[item_id] = one.decode(kept.value, content_type(kept.headers))
            except DecodeError:
                continue  # the trainer counts these, and serves the item as it was before
        return items
    for number, (value, headers) in enumerate(_records(settings, source, None), start=1):
        try:
            found = _items.decode(value or b"", content_type(headers))
        except DecodeError as error:
            msg = f"{source} holds items; record {number} is none ({error}); correct it"
            raise DatasetError(msg) from error
        items |= {item.item_id: item for item in (found if isinstance(found, list) else [found])}
    return items


def _topic(source: str, known: tuple[str, ...]) -> str | None:
    """The topic that is meant; None: a file. A file that is there is one, whatever its name."""
    if Path(source).is_file():
        return None
    if source in known:
        return source
    msg = (
        f"{' and '.join(known)} come from a file, or from a topic by its name ({', '.join(known)});"
        f" got {source!r}; name a file that is there"
    )
    raise DatasetError(msg)


def _records(settings: Settings, source: str, topic: str | None) -> Records:
    if topic is not None:
        for kept in topic_records(settings, topic):
            yield kept.value, kept.headers
        return
    form, done = form_of(source), 0
    headers = [(CONTENT_TYPE, form.encode())]
    with (
        Path(source).open("rb") as file,
        progress(f"reading {source}", Path(source).stat().st_size, "bytes") as advance,
    ):
        for record in read_records(file, form):
            yield record.value, headers
            advance(record.end_bytes - done)
            done = record.end_bytes

"""Labelling beside decoding alone: events a second, in memory, without Kafka."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

from schemas.codec import encode
from schemas.events import CLICK, EXPOSURE, Event
from schemas.samples import Sample, SampleBatch
from schemas.settings import LabellingSettings
from streams.chunks import encode_chunks
from streams.decode import EventDecoder
from streams.negatives import NegativesJoin, Step
from streams.positives import label_positives
from tests.benchmarks.rounds import Figures, Row, compare, parser, show

RECORD_SIZES = (1, 200, 1_000)
CLICK_SHARE = 0.04
_EXPOSURES = 40_000
_SHOWN = 25  # items a request
_T0_MS = 1_700_000_000_000
_STEP_MS = 1
RULES = LabellingSettings(window_ms=10_000, lateness_ms=1_000)
"""A window of a quarter of the stream, so that most negatives come while it runs."""


def stream(exposures: int) -> list[Event]:
    """Requests of 25 exposures, each followed by its clicks, in order of time."""
    chance = random.Random(0)
    events: list[Event] = []
    for start in range(0, exposures, _SHOWN):
        request, user = f"request-{start // _SHOWN}", f"user-{chance.randrange(1_000)}"
        shown = [f"item-{number}" for number in chance.sample(range(5_000), _SHOWN)]
        ts_ms = _T0_MS + start * _STEP_MS
        events += [
            Event(EXPOSURE, user, item, request, ts_ms, position)
            for position, item in enumerate(shown[: exposures - start])
        ]
        events += [
            Event(CLICK, user, item, request, ts_ms + _SHOWN * _STEP_MS - 1)
            for item in shown[: exposures - start]
            if chance.random() < CLICK_SHARE
        ]
    return events


def records_of(events: list[Event], size: int) -> list[bytes]:
    """The events as MessagePack records of `size`; a record of one is the event itself."""
    if size == 1:
        return [encode(event) for event in events]
    return [encode(events[start : start + size]) for start in range(0, len(events), size)]


def run_decode(records: list[bytes]) -> int:
    """Decode alone; the events."""
    return sum(len(events) for _, events in _decoded(records))


def run_positives(records: list[bytes]) -> int:
    """Decode, label positives, encode; the samples."""
    samples = 0
    for offset, events in _decoded(records):
        batch = label_positives(events, RULES, 0, offset)
        if batch.samples or batch.exposures:
            samples += len(batch.samples)
            _encode(batch)
    return samples


def run_negatives(records: list[bytes]) -> int:
    """Decode, join, encode, until every exposure is settled; the samples."""
    join = NegativesJoin[int](RULES, lambda: _T0_MS)
    samples = 0
    for offset, events in _decoded(records):
        samples += _encode_negatives(join.add(events, offset))
    long_after_ms = _T0_MS + 10**10
    end = Event("view", "user", "item", "request", long_after_ms)
    return samples + _encode_negatives(join.add([end], len(records)))


def _decoded(records: list[bytes]) -> Iterator[tuple[int, list[Event]]]:
    decoder = EventDecoder(RULES)
    for offset, record in enumerate(records):
        yield offset, decoder.decode(record, None, _T0_MS + 10**9).events


def _encode_negatives(step: Step[int]) -> int:
    """As the labeller does: the negatives that became due, a batch for each record of origin."""
    by_record: dict[int, list[Sample]] = {}
    for negative in step.negatives:
        by_record.setdefault(negative.token, []).append(negative.sample)
    for offset, samples in by_record.items():
        _encode(SampleBatch(samples, 0, offset))
    return len(step.negatives)


def _encode(batch: SampleBatch) -> None:
    for _ in encode_chunks(batch):
        pass


def measure(exposures: int = _EXPOSURES, rounds: int = 5) -> list[Row]:
    """Three contenders at each record size."""
    events = stream(exposures)

    def timed(run: Callable[[list[bytes]], int], records: list[bytes]) -> Callable[[], Figures]:
        def once() -> Figures:
            started_s = time.perf_counter()
            run(records)
            return Figures(len(events) / (time.perf_counter() - started_s))

        return once

    rows: list[Row] = []
    for size in RECORD_SIZES:
        records = records_of(events, size)
        contenders = {
            "decode": timed(run_decode, records),
            "decode, positives, encode": timed(run_positives, records),
            "decode, negatives, encode": timed(run_negatives, records),
        }
        rows += compare(f"events a record: {size:,}", contenders, rounds)
    return rows


def main() -> None:
    given = parser("tests.benchmarks.labelling", __doc__, rounds=5).parse_args()
    show(measure(rounds=given.rounds), unit="events", as_json=given.json)


if __name__ == "__main__":
    main()

"""Labelling in memory, without Kafka: what the pure parts can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from schemas.events import Event
from schemas.samples import SampleBatch
from schemas.settings import LabellingSettings
from streams.chunks import encode_chunks
from streams.decode import EventDecoder
from streams.negatives import NegativesJoin, Step
from streams.positives import label_positives
from tests.benchmarks.label_stream import Stream, records_of, single
from tests.benchmarks.rounds import Figures

_NOW_MS = 2_000_000_000_000
"""Later than every event, and still: the idle clock has no part in this."""


def contenders(stream: Stream, size: int) -> dict[str, Callable[[], Figures]]:
    """Decode alone, then for each path its core alone and the whole of it."""
    events, rules = stream.events, stream.rules
    records = records_of(events, size)
    decoded = [events[start : start + size] for start in range(0, len(events), size)]

    def timed(run: Callable[[], int]) -> Callable[[], Figures]:
        def once() -> Figures:
            started_s, started_cpu_s = time.perf_counter(), time.process_time()
            run()
            took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
            return Figures(len(events) / took_s, per_cpu_s=len(events) / max(cpu_s, 1e-6))

        return once

    return {
        "decode": timed(lambda: run_decode(records, rules)),
        "positives, core": timed(lambda: run_positives(decoded, rules)),
        "positives, decode + core + encode": timed(
            lambda: run_positives(decode(records, rules), rules, _encode)
        ),
        "negatives, core": timed(lambda: run_negatives(decoded, stream)),
        "negatives, decode + core + encode": timed(
            lambda: run_negatives(decode(records, rules), stream, _encode)
        ),
    }


def decode(records: Iterable[bytes], rules: LabellingSettings) -> Iterator[list[Event]]:
    """The events of each record."""
    decoder = EventDecoder(rules)
    for record in records:
        yield decoder.decode(record, None, _NOW_MS).events


def run_decode(records: Iterable[bytes], rules: LabellingSettings) -> int:
    """The events."""
    return sum(len(events) for events in decode(records, rules))


def _keep(_: SampleBatch) -> None:
    """The core alone: nothing is encoded."""


def _encode(batch: SampleBatch) -> None:
    for _ in encode_chunks(batch):
        pass


def run_positives(
    decoded: Iterable[list[Event]],
    rules: LabellingSettings,
    write: Callable[[SampleBatch], None] = _keep,
) -> int:
    """The samples of every record."""
    samples = 0
    for offset, events in enumerate(decoded):
        batch = label_positives(events, rules, 0, offset)
        samples += len(batch.samples)
        if batch.samples or batch.exposures:
            write(batch)
    return samples


def run_negatives(
    decoded: Iterable[list[Event]],
    stream: Stream,
    write: Callable[[SampleBatch], None] = _keep,
) -> int:
    """The samples of every record, until every exposure is settled."""
    join = NegativesJoin[int](stream.rules, lambda: _NOW_MS)

    def written(step: Step[int]) -> int:
        batches = [
            SampleBatch([], 0, offset, passed_over=passed_over)
            for offset, passed_over in step.negatives.items()
        ]
        for batch in batches:
            write(batch)
        return sum(batch.count() for batch in batches)

    samples = sum(written(join.add(events, offset)) for offset, events in enumerate(decoded))
    return samples + written(join.add([single("view", stream.after_ms)], -1))

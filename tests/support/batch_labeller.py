"""The final labels of a log of events, by brute force; shares no code with `streams`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import xxhash

from schemas.events import Event
from schemas.samples import Sample


class Label(NamedTuple):
    """What is compared of a sample."""

    sample_id: int
    kind: str
    weight: float


def stated_id(request_id: str, item_id: str, states: str) -> int:
    """The formula of a sample id as documented, written out once more."""
    parts = [str(len(request_id)), ":", request_id, str(len(item_id)), ":", item_id, states]
    return xxhash.xxh3_64_intdigest("".join(parts).encode())


def batch_labels(
    events: Iterable[Event], positives: Mapping[str, float], signals: Mapping[str, float]
) -> set[Label]:
    """Each (request, item, action) once; each exposed (request, item) without any positive once."""
    acted = {(e.request_id, e.item_id, e.action) for e in events if e.action != "exposure"}
    exposed = {(e.request_id, e.item_id) for e in events if e.action == "exposure"}
    labels = {
        Label(stated_id(request, item, action), "positive", positives[action])
        for request, item, action in acted
        if action in positives
    }
    labels |= {
        Label(stated_id(request, item, action), "signal", signals[action])
        for request, item, action in acted
        if action in signals
    }
    with_positive = {(request, item) for request, item, action in acted if action in positives}
    return labels | {
        Label(stated_id(request, item, "exposure"), "exposure_negative", 1.0)
        for request, item in exposed - with_positive
    }


class Final(NamedTuple):
    """Delivered samples as whoever has seen all of them keeps them."""

    labels: set[Label]
    duplicates: int
    """Samples whose id had been delivered before."""
    taken_back: int
    """Negatives (by id) whose positive is there too."""


def final_labels(samples: Iterable[Sample]) -> Final:
    """Each sample once, without the negatives that a positive of the same pair takes back.

    Fails where two samples share an id and are not the same statement.
    """
    by_id: dict[int, Sample] = {}
    duplicates = 0
    for sample in samples:
        known = by_id.setdefault(sample.sample_id, sample)
        if known is not sample:
            duplicates += 1
            assert _statement(known) == _statement(sample), "same id, other statement"
    with_positive = {(s.request_id, s.item_id) for s in by_id.values() if s.kind == "positive"}
    late = {
        identity
        for identity, sample in by_id.items()
        if sample.kind == "exposure_negative"
        and (sample.request_id, sample.item_id) in with_positive
    }
    labels = {
        Label(identity, sample.kind, sample.weight)
        for identity, sample in by_id.items()
        if identity not in late
    }
    return Final(labels, duplicates, len(late))


def _statement(sample: Sample) -> tuple[object, ...]:
    return (sample.kind, sample.action, sample.weight, sample.request_id, sample.item_id)

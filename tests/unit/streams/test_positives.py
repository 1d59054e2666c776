"""Positives, signals and exposure counts of one record, by hand and by a naive count."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Decoder, encode
from schemas.events import Event
from schemas.samples import Sample, SampleBatch, sample_id
from schemas.settings import LabellingSettings
from streams.chunks import encode_chunks
from streams.positives import label_positives

RULES = LabellingSettings(positives={"click": 1.0, "share": 3.0}, signals={"view": 0.5})

events = st.builds(
    Event,
    action=st.sampled_from(["exposure", "click", "share", "view"]),
    user_id=st.just("u"),
    item_id=st.sampled_from("abc"),
    request_id=st.sampled_from("pq"),
    ts_ms=st.integers(0, 10),
)


@given(st.lists(events, max_size=30))
def test_against_a_naive_count(drawn: list[Event]) -> None:
    batch = label_positives(drawn, RULES, partition=3, offset=41)
    acted = {(e.request_id, e.item_id, e.action) for e in drawn if e.action != "exposure"}
    assert {(s.request_id, s.item_id, s.action) for s in batch.samples} == acted
    assert len(batch.samples) == len(acted)
    assert batch.exposures == Counter(e.item_id for e in drawn if e.action == "exposure")
    for sample in batch.samples:
        assert sample.weight == {"click": 1.0, "share": 3.0, "view": 0.5}[sample.action]
        assert sample.kind == ("signal" if sample.action == "view" else "positive")
        assert sample.sample_id == sample_id(sample.request_id, sample.item_id, sample.action)
    assert (batch.source_partition, batch.source_offset) == (3, 41)


@given(st.lists(events, max_size=60), st.integers(100, 2_000))
def test_chunks_hold_all_samples_in_order_below_the_limit(
    drawn: list[Event], limit_bytes: int
) -> None:
    batch = label_positives(drawn, RULES, 0, 0)
    chunks = list(encode_chunks(batch, limit_bytes))
    decoder = Decoder[SampleBatch](SampleBatch)
    parts = [decoder.decode(chunk) for chunk in chunks]
    samples: list[Sample] = [sample for part in parts for sample in part.samples]
    assert samples == batch.samples
    assert parts[0].exposures == batch.exposures
    assert all(part.exposures == {} for part in parts[1:])
    assert all(
        len(chunk) <= limit_bytes or len(part.samples) <= 1
        for chunk, part in zip(chunks, parts, strict=True)
    )
    assert encode(batch) == chunks[0] or len(chunks) > 1

"""Positives, signals and exposure counts of one record, by hand and by a naive count."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Event
from schemas.samples import sample_id
from schemas.settings import LabellingSettings
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

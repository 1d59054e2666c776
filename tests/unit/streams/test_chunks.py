"""Batches cut into records: nothing is lost, doubled or moved, and no record is too large."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Decoder, encode
from schemas.samples import PassedOver, Sample, SampleBatch
from streams.chunks import encode_chunks

_decoder = Decoder[SampleBatch](SampleBatch)

_samples = st.builds(
    Sample,
    sample_id=st.integers(0, 2**64 - 1),
    kind=st.sampled_from(["positive", "signal"]),
    action=st.sampled_from(["click", "view"]),
    user_id=st.just("u"),
    item_id=st.sampled_from("abc"),
    request_id=st.sampled_from("pq"),
    ts_ms=st.integers(0, 10),
)
_shown = st.builds(
    PassedOver,
    user_id=st.sampled_from("uv"),
    request_id=st.text("pq", max_size=3),
    ts_ms=st.integers(0, 10),
    item_ids=st.lists(st.text("abcdef", max_size=4), min_size=1, max_size=30, unique=True),
    context=st.dictionaries(st.just("city"), st.text(max_size=20)),
)
_batches = st.one_of(
    st.builds(
        SampleBatch,
        samples=st.lists(_samples, max_size=60),
        source_partition=st.just(3),
        source_offset=st.just(7),
        exposures=st.dictionaries(st.sampled_from("abc"), st.integers(1, 9)),
    ),
    st.builds(
        SampleBatch,
        samples=st.lists(_samples, max_size=3),
        source_partition=st.just(3),
        source_offset=st.just(7),
        passed_over=st.lists(_shown, max_size=20),
    ),
)


@given(_batches, st.integers(100, 2_000))
def test_chunks_hold_all_samples_in_order_below_the_limit(
    batch: SampleBatch, limit_bytes: int
) -> None:
    chunks = list(encode_chunks(batch, limit_bytes))
    parts = [_decoder.decode(chunk) for chunk in chunks]
    assert [sample for part in parts for sample in part.stated()] == batch.stated()
    assert parts[0].exposures == batch.exposures
    assert all(part.exposures == {} for part in parts[1:])
    assert all((part.source_partition, part.source_offset) == (3, 7) for part in parts)
    assert all(
        len(chunk) <= limit_bytes or len(part.stated()) <= 1
        for chunk, part in zip(chunks, parts, strict=True)
    )
    assert encode(batch) == chunks[0] or len(chunks) > 1


@given(_shown)
def test_each_item_passed_over_is_a_sample_as_if_it_stood_alone(shown: PassedOver) -> None:
    for item_id, sample in zip(shown.item_ids, shown.samples(), strict=True):
        alone = PassedOver(shown.user_id, shown.request_id, shown.ts_ms, [item_id], shown.context)
        assert alone.samples() == [sample]
        assert (sample.kind, sample.action, sample.weight) == ("exposure_negative", "exposure", 1)
        assert (sample.user_id, sample.request_id) == (shown.user_id, shown.request_id)
        assert (sample.item_id, sample.ts_ms, sample.context) == (
            item_id,
            shown.ts_ms,
            shown.context,
        )

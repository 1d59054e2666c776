"""The final labels of a log are those of a brute force over all of it, whatever its order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import JSON, MSGPACK, encode
from schemas.events import EXPOSURE, Event
from schemas.samples import Sample, sample_id
from schemas.settings import LabellingSettings
from streams.backfill import Backfill

NOW_MS = 1_700_000_000_000
WEIGHTS = {"click": 1.0, "like": 2.0}


def rules(most: int = 1_000) -> LabellingSettings:
    return LabellingSettings(
        positives=WEIGHTS,
        signals={"view": 0.5},
        window_ms=10_000,
        lateness_ms=2_000,
        max_pending_exposures=most,
    )


def event(action: str, request: int, item: int, at_ms: int) -> Event:
    # One user a request; the users lie on several partitions.
    return Event(action, f"u{request % 4}", f"i{item}", f"r{request}", NOW_MS - 100_000 + at_ms)


events = st.builds(
    event,
    st.sampled_from([EXPOSURE, EXPOSURE, EXPOSURE, "click", "like", "view"]),
    st.integers(0, 5),
    st.integers(0, 3),
    st.integers(0, 60_000),
)


def labelled(
    records: list[list[Event]], backfill: Backfill, form: str = MSGPACK
) -> tuple[list[Sample], list[Sample]]:
    """All samples, and the final ones."""
    stated: list[Sample] = []
    for record in records:
        one = record[0] if len(record) == 1 else record
        taken = backfill.take(encode(one, form), form)
        assert taken.refusals == []
        stated += taken.samples
    stated += backfill.finish()
    final = backfill.final().tolist()
    return stated, [sample for sample, keep in zip(stated, final, strict=True) if keep]


def brute_force(log: list[Event]) -> dict[tuple[str, str, str], tuple[str, float, int]]:
    """By (request, item, action): kind, weight and time of the first such event."""
    acted = {(e.request_id, e.item_id) for e in log if e.action in WEIGHTS}
    labels: dict[tuple[str, str, str], tuple[str, float, int]] = {}
    for e in log:
        pair = (e.request_id, e.item_id)
        if e.action in WEIGHTS:
            labels.setdefault((*pair, e.action), ("positive", WEIGHTS[e.action], e.ts_ms))
        elif e.action == "view":
            labels.setdefault((*pair, "view"), ("signal", 0.5, e.ts_ms))
        elif pair not in acted:
            labels.setdefault((*pair, EXPOSURE), ("exposure_negative", 1.0, e.ts_ms))
    return labels


@settings(deadline=None)
@given(
    st.lists(st.lists(events, min_size=1, max_size=6), max_size=25),
    st.integers(1, 4),
    st.sampled_from([1, 3, 1_000]),
    st.sampled_from([1, 3, 1_000]),
    st.sampled_from([MSGPACK, JSON]),
)
def test_final_labels_are_those_of_a_brute_force(
    records: list[list[Event]], partitions: int, most: int, record_events: int, form: str
) -> None:
    log = [one for record in records for one in record]
    backfill = Backfill(rules(most), partitions, NOW_MS, record_events)
    stated, final = labelled(records, backfill, form)
    expected = brute_force(log)
    assert {
        (s.request_id, s.item_id, s.action): (s.kind, s.weight, s.ts_ms) for s in final
    } == expected
    assert len(final) == len(expected)
    assert all(s.sample_id == sample_id(s.request_id, s.item_id, s.action) for s in final)

    totals = backfill.totals()
    kinds = Counter(kind for kind, _, _ in expected.values())
    assert (totals.positives, totals.signals, totals.negatives) == (
        kinds["positive"],
        kinds["signal"],
        kinds["exposure_negative"],
    )
    assert totals.events == len(log)
    distinct = {(e.request_id, e.item_id, e.action) for e in log}
    assert totals.duplicates == len(log) - len(distinct)
    negatives = {s.sample_id for s in stated if s.kind == "exposure_negative"}
    assert totals.taken_back == len(negatives) - kinds["exposure_negative"]


def test_a_late_click_takes_its_negative_back() -> None:
    backfill = Backfill(rules(), 1, NOW_MS, record_events=1)
    shown, later = event(EXPOSURE, 0, 0, 0), event(EXPOSURE, 0, 1, 30_000)
    late_click, late_shown = event("click", 0, 0, 31_000), event(EXPOSURE, 0, 2, 1_000)
    stated, final = labelled([[shown], [later], [late_click], [late_shown]], backfill)
    assert [(s.item_id, s.kind) for s in stated] == [
        ("i0", "exposure_negative"),
        ("i0", "positive"),
        ("i2", "exposure_negative"),
        ("i1", "exposure_negative"),
    ]
    assert [(s.item_id, s.kind) for s in final] == [
        ("i0", "positive"),
        ("i2", "exposure_negative"),
        ("i1", "exposure_negative"),
    ]
    totals = backfill.totals()
    assert (totals.taken_back, totals.late, totals.negatives) == (1, 1, 2)


def test_refused_events_are_counted_and_take_no_other_with_them() -> None:
    backfill = Backfill(rules(), 2, NOW_MS)
    good = event("click", 0, 0, 0)
    taken = backfill.take(encode([good, event("stare", 0, 1, 0)], JSON), JSON)
    assert taken.samples == []  # a record of many events is still being gathered
    assert [refusal.reason for refusal in taken.refusals] == ["unknown_action"]
    backfill.take(b"nonsense", JSON)
    assert [sample.item_id for sample in backfill.finish()] == ["i0"]
    assert backfill.totals().refused == {"unknown_action": 1, "undecodable": 1}
    assert backfill.totals().events == 1


def test_an_empty_log_has_no_labels() -> None:
    backfill = Backfill(rules(), 2, NOW_MS)
    assert backfill.finish() == []
    assert backfill.final().tolist() == []
    assert backfill.totals()[:5] == (0, 0, 0, 0, 0)

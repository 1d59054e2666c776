"""Metrics from figures, by hand."""

from __future__ import annotations

from prometheus_client import Metric

from schemas.metrics import FromFigures, MetricSpec, families, families_by

SEEN = FromFigures(
    MetricSpec("penstock_seen_total", "counter", "Seen.", ("kind",)),
    {"cats": ("cat",), "dogs": ("dog",)},
)
AGE = FromFigures(MetricSpec("penstock_age_seconds", "gauge", "Age."), {"age_ms": ()}, scale=1e-3)


def numbers(metrics: list[Metric]) -> dict[tuple[str, str], float]:
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def test_a_counter_leaves_out_what_was_restored_and_a_gauge_does_not() -> None:
    found = families([SEEN, AGE], {"cats": 7, "dogs": 5, "age_ms": 1500}, {"cats": 4, "age_ms": 9})
    assert numbers(list(found)) == {
        ("penstock_seen_total", "cat"): 3,
        ("penstock_seen_total", "dog"): 5,
        ("penstock_age_seconds", ""): 1.5,
    }


def test_what_is_not_known_is_a_counter_at_zero_and_no_gauge() -> None:
    assert numbers(list(families([SEEN, AGE], {"cats": 1}))) == {
        ("penstock_seen_total", "cat"): 1,
        ("penstock_seen_total", "dog"): 0,
    }


def test_a_histogram_counts_into_the_spec_s_buckets() -> None:
    spec = MetricSpec("penstock_wait_seconds", "histogram", "Wait.", ("outcome",))
    histogram = spec.histogram(buckets=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 3.0):
        histogram.labels("ok").observe(value)
    (metric,) = histogram.collect()
    found = {s.labels["le"]: s.value for s in metric.samples if s.name.endswith("_bucket")}
    assert found == {"0.1": 2, "1.0": 3, "+Inf": 4}


def test_parts_of_a_role_are_told_apart_by_their_number() -> None:
    row = FromFigures(MetricSpec("penstock_items", "gauge", "Items.", ("shard",)), {"items": ()})
    assert numbers(list(families_by([row], {10: {"items": 3.0}, 2: {"items": 4.0}, 5: {}}))) == {
        ("penstock_items", "2"): 4,
        ("penstock_items", "10"): 3,
    }

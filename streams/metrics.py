"""The labellers' metrics."""

from __future__ import annotations

from schemas.dead_letters import REASONS
from schemas.metrics import FromFigures, MetricSpec

_REFUSALS = [reason for reason in REASONS if reason not in ("internal_error", "oversized_label")]
_READ = FromFigures(
    MetricSpec("penstock_label_read_events_total", "counter", "Usable events read."),
    {"events": ()},
)
_SAMPLES = MetricSpec(
    "penstock_label_samples_total", "counter", "Samples sent, by kind.", ("kind",)
)
_DUPLICATES = FromFigures(
    MetricSpec(
        "penstock_label_duplicate_events_total",
        "counter",
        "Events that say what another one of the record, or one that waits, has said.",
    ),
    {"duplicates": ()},
)
COMMIT_SECONDS = MetricSpec(
    "penstock_label_commit_seconds", "histogram", "How long a commit of offsets took."
)
REBALANCE_SECONDS = MetricSpec(
    "penstock_label_rebalance_seconds",
    "histogram",
    "How long this process read nothing because its group shared the partitions out.",
)
LABEL_HISTOGRAMS = (COMMIT_SECONDS, REBALANCE_SECONDS)
_OF_BOTH = (
    _READ,
    _DUPLICATES,
    FromFigures(
        MetricSpec(
            "penstock_label_refused_events_total",
            "counter",
            "Events, and whole records, that could not be used, by reason. Both labellers refuse "
            "the same; label-positives writes the dead letters.",
            ("reason",),
        ),
        {f"refused_{reason}": (reason,) for reason in _REFUSALS},
    ),
    FromFigures(
        MetricSpec(
            "penstock_dead_letters_total",
            "counter",
            "Dead letters written, by reason.",
            ("reason",),
        ),
        {f"dead_letters_{reason}": (reason,) for reason in REASONS if reason != "oversized_label"}
        | {"oversized_labels": ("oversized_label",)},
    ),
    FromFigures(
        MetricSpec(
            "penstock_dead_letters_lost_total",
            "counter",
            "Dead letters that were themselves too large for the broker: only the log has them.",
        ),
        {"lost_dead_letters": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_label_assignments_total",
            "counter",
            "Times that this process was given partitions: at its start and at each rebalance.",
        ),
        {"assignments": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_label_open_records",
            "gauge",
            "Records of events taken and not yet acknowledged.",
        ),
        {"open_records": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_label_undelivered_records", "gauge", "Labels on their way to the broker."
        ),
        {"in_flight": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_label_delivery_retries_total",
            "counter",
            "Labels sent again because the broker did not take them.",
        ),
        {"delivery_retries": ()},
    ),
)

POSITIVES_METRICS = (
    *_OF_BOTH,
    FromFigures(
        MetricSpec(
            "penstock_label_events_total",
            "counter",
            "Usable events by kind, duplicates left out.",
            ("kind",),
        ),
        {"exposures": ("exposure",), "positive": ("positive",), "signal": ("signal",)},
    ),
    FromFigures(_SAMPLES, {"positive": ("positive",), "signal": ("signal",)}),
)
"""Of `label-positives`."""

NEGATIVES_METRICS = (
    *_OF_BOTH,
    FromFigures(_SAMPLES, {"exposure_negative": ("exposure_negative",)}),
    FromFigures(
        MetricSpec(
            "penstock_label_late_events_total",
            "counter",
            "Exposures that came after their window had closed.",
        ),
        {"late": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_label_settled_early_total",
            "counter",
            "Exposures settled and positives forgotten before their time, for want of room.",
        ),
        {"settled_early": ()},
    ),
    FromFigures(
        MetricSpec("penstock_label_pending_exposures", "gauge", "Exposures that wait for a click."),
        {"pending_exposures": ()},
    ),
)
"""Of `label-negatives`."""

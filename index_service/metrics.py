"""The index node's metrics."""

from __future__ import annotations

from typing import get_args

from index_service.reply_headers import SkipReason
from schemas.metrics import FromFigures, MetricSpec
from schemas.recall import OVERLOADED, Status

OUTCOMES = (*get_args(Status), OVERLOADED)
"""How a request may end that gets a reply."""
_SKIPS = (*get_args(SkipReason), "unknown_reply_partition", "undelivered")

NODE_METRICS = (
    FromFigures(
        MetricSpec(
            "penstock_recall_dropped_total",
            "counter",
            "Requests that got no reply, by reason: `late` after their deadline, the others "
            "because of their headers or because the reply could not be delivered.",
            ("reason",),
        ),
        {"dropped_late": ("late",)} | {f"skipped_{reason}": (reason,) for reason in _SKIPS},
    ),
    FromFigures(
        MetricSpec("penstock_recall_in_flight", "gauge", "Requests taken and not yet answered."),
        {"in_flight": ()},
    ),
    FromFigures(
        MetricSpec("penstock_redis_errors_total", "counter", "Reads of Redis that failed."),
        {"redis_errors": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_recall_context_values_total",
            "counter",
            "Values of requests' contexts that were looked up: `known`, or `unknown` where nothing "
            "was taken yet.",
            ("outcome",),
        ),
        {"contexts_known": ("known",), "contexts_unknown": ("unknown",)},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_bad_records_total",
            "counter",
            "Records of item-vectors that could not be used.",
        ),
        {"bad_records": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_other_epoch_total",
            "counter",
            "Item vectors left out because they are of another epoch.",
        ),
        {"other_epoch": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_shard_calls_total",
            "counter",
            "Calls to other nodes for their shards: `sent`, or `hedged` where the first one asked "
            "was slow.",
            ("kind",),
        ),
        {"shard_calls_sent": ("sent",), "hedged": ("hedged",)},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_shard_answers_total",
            "counter",
            "Calls of other nodes, by what became of them: `answered`, or `late` after their "
            "deadline.",
            ("outcome",),
        ),
        {"shard_calls_answered": ("answered",), "shard_calls_late": ("late",)},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_snapshots_total",
            "counter",
            "Snapshots of shards, by what became of them.",
            ("outcome",),
        ),
        {
            "snapshots": ("written",),
            "snapshots_failed": ("failed",),
            "shards_restored": ("restored",),
        },
    ),
    FromFigures(
        MetricSpec("penstock_index_changes_total", "counter", "Item vectors taken in."),
        {"changes": ()},
    ),
    FromFigures(
        MetricSpec("penstock_index_shards", "gauge", "Shards held that can be searched."),
        {"shards_ready": ()},
    ),
    FromFigures(
        MetricSpec("penstock_index_peers", "gauge", "Other nodes that this one can ask."),
        {"peers": ()},
    ),
    FromFigures(
        MetricSpec("penstock_index_step", "gauge", "The newest trainer step among the vectors."),
        {"step": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_dead_ratio",
            "gauge",
            "Share of the graph that updates and deletes left behind; 0 without a graph.",
        ),
        {"dead_share": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_sampled_recall_ratio",
            "gauge",
            "Share of the exact nearest items that the backend proposes, in sampled searches.",
        ),
        {"sampled_recall": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_self_miss_ratio",
            "gauge",
            "Share of sampled items that a search by their own vector does not find.",
        ),
        {"self_miss_share": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_unwritten_items",
            "gauge",
            "Changes that the backend has yet to take in; searches find them all the same.",
        ),
        {"unwritten": ()},
    ),
    FromFigures(
        MetricSpec("penstock_index_rebuilds_total", "counter", "Backends built."),
        {"rebuilds": ()},
    ),
    FromFigures(
        MetricSpec(
            "penstock_index_rebuild_seconds",
            "gauge",
            "How long the last building of a backend took; 0 before.",
        ),
        {"rebuild_s": ()},
    ),
)
"""Of `index`, from its figures."""

SHARD_METRICS = (
    FromFigures(
        MetricSpec("penstock_index_items", "gauge", "Items in a shard.", ("shard",)), {"items": ()}
    ),
)
"""Of `index`, of each shard."""

RECALL_SECONDS = MetricSpec(
    "penstock_recall_seconds",
    "histogram",
    "From a request's sending to its answer, by the status of that.",
    ("outcome",),
)
EVENT_TO_SEARCHABLE_SECONDS = MetricSpec(
    "penstock_event_to_searchable_seconds",
    "histogram",
    "From an item's own time to its vector in the index, once the node has caught up.",
)
NODE_HISTOGRAMS = (RECALL_SECONDS, EVENT_TO_SEARCHABLE_SECONDS)
"""Of `index`, measured where things happen."""

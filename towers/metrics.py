"""The trainer's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Metric

from schemas.metrics import FromFigures, MetricSpec, families

_COUNTERS = (
    ("penstock_trainer_steps_total", "step", "Learning steps."),
    (
        "penstock_trainer_duplicate_samples_total",
        "duplicates",
        "Samples that came again, which are learned once.",
    ),
    (
        "penstock_trainer_late_positives_total",
        "late_positives",
        "Positives that took back a negative already seen, and negatives refused for that.",
    ),
    (
        "penstock_trainer_overrun_total",
        "overrun",
        "Positives that went unlearned because more came than could be learned.",
    ),
    (
        "penstock_trainer_thinned_negatives_total",
        "thinned_negatives",
        "Exposure negatives left out because the trainer was behind.",
    ),
    (
        "penstock_trainer_unreplayed_positives_total",
        "unreplayed",
        "Earlier positives not learned again because the trainer was behind.",
    ),
    (
        "penstock_trainer_ranked_positives_total",
        "recall_ranked",
        "Positives ranked before they were learned.",
    ),
    (
        "penstock_trainer_unusable_features_total",
        "unusable_features",
        "Values of features that could not be read and were left out.",
    ),
    (
        "penstock_trainer_undecodable_records_total",
        "undecodable",
        "Records left out because they could not be decoded.",
    ),
    (
        "penstock_trainer_users_behind_total",
        "users_behind",
        "Users who got a new record without acting, as learning had moved their vector.",
    ),
    (
        "penstock_trainer_forgotten_users_total",
        "forgotten_users",
        "Users forgotten to make room for others: trainer.users.",
    ),
    ("penstock_trainer_publishes_total", "publishes", "Item vectors sent to item-vectors."),
    ("penstock_redis_errors_total", "redis_errors", "Writes to Redis that failed."),
)
_GAUGES = (
    ("penstock_trainer_users", "users", "Users known."),
    ("penstock_trainer_items", "items", "Items known and not deleted."),
    ("penstock_trainer_pending_positives", "pending", "Positives that wait to be learned."),
    ("penstock_trainer_loss", "loss", "Loss of a step, averaged over about the last 100."),
    (
        "penstock_trainer_published_items",
        "published",
        "Items that the index was told of and that were not deleted.",
    ),
    (
        "penstock_trainer_publish_waiting_items",
        "publish_waiting",
        "Items that are due to be published and were not in the last turn.",
    ),
    (
        "penstock_trainer_drift_max_ratio",
        "drift_max",
        "Largest cosine distance of an item's vector from its published one, in the last scan.",
    ),
    (
        "penstock_trainer_drift_limit_ratio",
        "drift_limit",
        "The bound on that distance: trainer.scan_eps.",
    ),
    (
        "penstock_trainer_waiting_users",
        "users_waiting",
        "Users whose record in Redis is not what it should be.",
    ),
    (
        "penstock_trainer_checkpoint_age_seconds",
        "checkpoint_age_s",
        "Since the state was last the same as on the disk, as seen at each interval.",
    ),
    (
        "penstock_trainer_checkpoint_interval_seconds",
        "checkpoint_every_s",
        "Wanted between checkpoints: trainer.checkpoint_every_s.",
    ),
)

TRAINER_METRICS = (
    FromFigures(
        MetricSpec(
            "penstock_trainer_samples_total",
            "counter",
            "Samples taken in, by kind; duplicates and refused ones left out.",
            ("kind",),
        ),
        {
            "positives": ("positive",),
            "signals": ("signal",),
            "negatives": ("exposure_negative",),
        },
    ),
    FromFigures(
        MetricSpec(
            "penstock_trainer_recall_ratio",
            "gauge",
            "Prequential recall: share of about the last 2,000 ranked positives that were within "
            "the first k before they were learned.",
            ("k",),
        ),
        {"recall_at_10": ("10",), "recall_at_50": ("50",)},
    ),
    *(FromFigures(MetricSpec(name, "counter", text), {key: ()}) for name, key, text in _COUNTERS),
    *(FromFigures(MetricSpec(name, "gauge", text), {key: ()}) for name, key, text in _GAUGES),
)
"""Of `trainer`, from its figures."""

STEP_SECONDS = MetricSpec(
    "penstock_trainer_step_seconds", "histogram", "How long a learning step took."
)
CLICK_TO_USER_VECTOR_SECONDS = MetricSpec(
    "penstock_click_to_user_vector_seconds",
    "histogram",
    "From an event's own time to the refreshed record of its user in Redis.",
)
TRAINER_HISTOGRAMS = (STEP_SECONDS, CLICK_TO_USER_VECTOR_SECONDS)
"""Of `trainer`, measured where things happen."""


class TrainerMetrics:
    """A collector: the histograms, and what the figures say."""

    def __init__(self) -> None:
        self.step_seconds = STEP_SECONDS.histogram()
        self.click_to_user_vector_seconds = CLICK_TO_USER_VECTOR_SECONDS.histogram()
        self.restored: dict[str, float] = {}
        """What the learner's figures were when its checkpoint was read."""

    def collect(self, figures: Mapping[str, float]) -> Iterator[Metric]:
        """All of it."""
        yield from families(TRAINER_METRICS, figures, self.restored)
        yield from self.step_seconds.collect()
        yield from self.click_to_user_vector_seconds.collect()

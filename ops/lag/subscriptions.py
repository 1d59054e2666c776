"""Which role reads which topic, and how what it has done shows in Kafka."""

from __future__ import annotations

from typing import NamedTuple

from schemas.settings import Settings
from schemas.status import Role
from schemas.topics import (
    EVENTS,
    ITEM_VECTORS,
    ITEMS,
    NEGATIVES,
    POSITIVES,
    RECALL_REQUESTS,
    topic_name,
)

_SLACK_S = 5.0
"""Of polling, acknowledging and committing, beyond what a role waits for on purpose."""
_AUTO_COMMIT_S = 5.0
"""aiokafka's period, by which the index nodes go."""


class Subscription(NamedTuple):
    """One role's reading of one topic."""

    role: Role
    topic: str
    """With the namespace in front."""
    group: str | None
    """Its consumer group; None where it keeps no offset in Kafka."""
    begins: str
    """Where a partition without a commit is begun: `earliest` or `latest`."""
    normal_s: float
    """A record may wait so long for its commit when all is well."""
    note: str


def subscriptions(settings: Settings) -> list[Subscription]:
    """Every reading there is, in the order of the chain."""
    namespace, labelling = settings.namespace, settings.labelling
    window_s = 1e-3 * (labelling.window_ms + labelling.lateness_ms) + _SLACK_S
    # A checkpoint is due every so often, and its writing takes a while.
    saved_s = 2 * settings.trainer.checkpoint_every_s + _SLACK_S

    def reads(
        role: Role, topic: str, group: str | None, normal_s: float, note: str, begins: str
    ) -> Subscription:
        full = None if group is None else f"{namespace}.{group}"
        return Subscription(role, topic_name(namespace, topic), full, begins, normal_s, note)

    trainer = "commits with each checkpoint"
    window = "commits when an event's window is over"
    return [
        reads("label-positives", EVENTS, "label-positives", _SLACK_S, "", "earliest"),
        reads("label-negatives", EVENTS, "label-negatives", window_s, window, "earliest"),
        reads("trainer", POSITIVES, "trainer", saved_s, trainer, "earliest"),
        reads("trainer", NEGATIVES, "trainer", saved_s, trainer, "earliest"),
        reads("trainer", ITEMS, "trainer", saved_s, trainer, "earliest"),
        reads("index", ITEM_VECTORS, None, 0.0, "nodes commit nothing", ""),
        reads("index", RECALL_REQUESTS, "recall", _AUTO_COMMIT_S + _SLACK_S, "", "latest"),
    ]

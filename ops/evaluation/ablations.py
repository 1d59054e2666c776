"""Penstock with one thing changed: each a name and a change of the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ops.evaluation.stream import FeatureNames
from schemas.settings import Settings

Change = Callable[[Settings, FeatureNames], Settings]


class Ablation(NamedTuple):
    """What is changed, in words and in the settings."""

    summary: str
    change: Change


def changed(settings: Settings, section: str, **values: Any) -> Settings:
    """The settings with some of a section's values replaced, and checked."""
    old = getattr(settings, section)
    new = type(old).model_validate(old.model_dump() | values)
    return settings.model_copy(update={section: new})


def towers(**values: Any) -> Change:
    """Replaces settings of the model."""
    return lambda settings, _: changed(settings, "towers", **values)


def _no_features(settings: Settings, names: FeatureNames) -> Settings:
    return changed(
        settings,
        "features",
        items=dict.fromkeys(names.items, "ignore"),
        users=dict.fromkeys(names.users, "ignore"),
    )


ABLATIONS: dict[str, Ablation] = {
    "no-features": Ablation("ids and histories alone", _no_features),
    "no-trend": Ablation(
        "no biases in the score", towers(positives_weight=0.0, exposures_weight=0.0)
    ),
    "last-item-only": Ablation("a history of one item", towers(history=1)),
    "no-replay": Ablation("each positive learned once", towers(replay=0)),
    "no-exposure-negatives": Ablation(
        "passed-over items are no negatives", towers(exposure_negatives=0)
    ),
    "in-batch-only": Ablation(
        "no uniform and no exposure negatives", towers(uniform_negatives=0, exposure_negatives=0)
    ),
}
"""By the name that `--models` takes. Another one is a line here."""

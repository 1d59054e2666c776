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


def _user_ids(settings: Settings, _: FeatureNames) -> Settings:
    return changed(settings, "features", user_id=True)


def both(*changes: Change) -> Change:
    """One change after the other."""

    def change(settings: Settings, names: FeatureNames) -> Settings:
        for one in changes:
            settings = one(settings, names)
        return settings

    return change


_EXPOSURES_ONLY = towers(
    in_batch_negatives=False, uniform_negatives=0, exposure_negatives=2, exposures_only=True
)
_COSINE_ALONE = towers(
    trend_half_lives=(),
    similar_items=0,
    together_items=0,
    pair_items=0,
    context_items=0,
    learn_blend=False,
)
_IDS = both(_user_ids, both(towers(history=0), _COSINE_ALONE))
_COMPLETION = both(_IDS, towers(user_tower="dot", objective="squared"))

ABLATIONS: dict[str, Ablation] = {
    "no-features": Ablation("ids and histories alone", _no_features),
    "no-trend": Ablation("no biases in the score", towers(trend_half_lives=(), context_items=0)),
    "no-similar": Ablation(
        "no co-occurrence and no pairs in the score",
        towers(similar_items=0, together_items=0, pair_items=0),
    ),
    "no-pairs": Ablation("no learned pairs of items in the score", towers(pair_items=0)),
    "next-only": Ablation("of co-occurrence only what comes next", towers(together_items=0)),
    "no-blend-learning": Ablation("the score's weights as they begin", towers(learn_blend=False)),
    "cosine-only": Ablation("the two-tower alone: no other signal", _COSINE_ALONE),
    "no-history": Ablation("users are their features alone", towers(history=0)),
    "last-item-only": Ablation("a history of one item", towers(history=1)),
    "no-replay": Ablation("each positive learned once", towers(replay=0)),
    "no-exposure-negatives": Ablation(
        "passed-over items are no negatives", towers(exposure_negatives=0)
    ),
    "in-batch-only": Ablation(
        "no uniform and no exposure negatives", towers(uniform_negatives=0, exposure_negatives=0)
    ),
    "in-batch-none": Ablation(
        "no positives of others as negatives", towers(in_batch_negatives=False)
    ),
    "exposures-only": Ablation("passed-over items are the only negatives", _EXPOSURES_ONLY),
    "no-logq": Ablation("sampled negatives uncorrected", towers(logq=False)),
    "hinge": Ablation("triplets with a margin", towers(objective="hinge")),
    "logistic": Ablation("pairs by a logit", towers(objective="logistic")),
    "pointwise": Ablation("cross-entropy of each by itself", towers(objective="pointwise")),
    "user-sum": Ablation("user tower sum", towers(user_tower="sum")),
    "user-dcn": Ablation("user tower dcn", towers(user_tower="dcn")),
    "item-mlp": Ablation("item tower mlp", towers(item_tower="mlp")),
    "user-ids": Ablation("an embedding for each user", _user_ids),
    "admit-after-2": Ablation("ids share embeddings before 2 positives", towers(admit_after=2)),
    "completion": Ablation(
        "matrix completion: ids alone, product and squared loss, exposures as negatives",
        both(_no_features, _COMPLETION, _EXPOSURES_ONLY),
    ),
    "completion-features": Ablation(
        "matrix completion with features", both(_COMPLETION, _EXPOSURES_ONLY)
    ),
    "completion-negatives": Ablation(
        "matrix completion with negatives of the whole catalogue", both(_no_features, _COMPLETION)
    ),
    "completion-cosine": Ablation(
        "matrix completion with cosine and cross-entropy",
        both(_no_features, _IDS, _EXPOSURES_ONLY),
    ),
    "completion-mended": Ablation("the three together: towers without history", _IDS),
}
"""By the name that `--models` takes. Another one is a line here."""

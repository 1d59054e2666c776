"""`[towers]`: the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from schemas.settings.section import Section

HalfLife = Annotated[float, Field(gt=0)]


Objective = Literal["listwise", "hinge", "logistic", "pointwise", "squared"]


class TowerSettings(Section):
    """The model. Changing what a checkpoint holds, such as `dim`, needs a new epoch."""

    epoch: int = Field(default=1, ge=1)
    """Number of the model whose vectors are published and served."""
    dim: int = Field(default=64, ge=2, le=4096)
    """Dimensions of a vector."""
    user_tower: Literal["sum", "mlp", "dcn", "dot"] = "mlp"
    """Makes a user of history and features: their sum, plus an MLP of it, or plus one of their
    crosses (DCN-v2); `dot` is the sum, and meets items by the product instead of the cosine."""
    item_tower: Literal["sum", "mlp"] = "sum"
    """Makes an item of its id and features: their sum, or that plus an MLP of it."""
    hidden: int = Field(default=128, ge=1)
    """Width of a tower's hidden layer."""
    history: int = Field(default=20, ge=0)
    """Latest items of a user that the user tower reads."""
    history_decay: float = Field(default=0.8, gt=0, le=1)
    """Weight of each older item of the history against the one after it."""
    tau: float = Field(default=0.2, gt=0)
    """Temperature of the softmax over cosines."""
    embedding_lr: float = Field(default=0.1, gt=0)
    """Learning rate of the embeddings of ids and features (row-wise Adagrad)."""
    dense_lr: float = Field(default=3e-4, gt=0)
    """Learning rate of the dense layers (Adam)."""
    objective: Objective = "listwise"
    """What is learned: a softmax over all of a positive's negatives (`listwise`), each pair of
    both by a margin (`hinge`) or a logit (`logistic`), or each by itself as a class (`pointwise`)
    or as the sum of the actions' weights (`squared`)."""
    margin: float = Field(default=0.2, gt=0)
    """By how much a positive is to score above a negative; of `hinge`."""
    negatives_ratio: float = Field(default=3.0, gt=0)
    """How many negatives count against each positive; of all objectives but `listwise`."""
    logq: bool = True
    """Correct sampled negatives for how often the sampling is expected to bring them."""
    in_batch_negatives: bool = True
    """The batch's positives of others are negatives too."""
    uniform_negatives: int = Field(default=256, ge=0)
    """Items drawn uniformly as negatives for each batch."""
    exposure_negatives: int = Field(default=1, ge=0)
    """Unclicked exposures of the same user set against each positive."""
    exposures_only: bool = Field(default=False, validate_default=True)
    """Allow exposures as the only negatives, which recall should not be learned from."""
    admit_after: int = Field(default=0, ge=0)
    """Positives with an id or a feature's value before it has an embedding of its own."""
    expire_after_positives: int = Field(default=10_000_000, ge=1)
    """An embedding that none of so many positives used is given to another id or value."""
    replay: int = Field(default=3, ge=0)
    """Earlier positives learned again for each new one."""
    replay_buffer: int = Field(default=8_192, ge=1)
    """Latest positives to replay from."""
    trend_half_lives: tuple[HalfLife, ...] = (10.0, 200.0, 5_000.0)
    """Positives of anyone after which an item's counts of positives and exposures weigh half; the
    learned weights choose among them. None: no trend."""
    positives_weight: float = 0.25
    """Weight of the log of the slowest count of positives, to begin with."""
    exposures_weight: float = 0.0
    """Weight of the log of the slowest count of exposures, to begin with."""
    learn_blend: bool = True
    """Learn the weights of the score online; else they stay as they begin."""
    blend_against: Literal["catalogue", "shown"] = "shown"
    """What a taken item is set against: each item as often as it was shown to anyone, where recall
    itself decides what is shown, as it would else learn to show most what it shows most; or all
    items alike (`catalogue`), where others decide, which `penstock evaluate` takes where this is
    not set. Without exposures both are the same."""
    similar_items: int = Field(default=100, ge=0)
    """Items that come next where a user's last ones were, in the user's record; 0 counts none."""
    together_items: int = Field(default=100, ge=0)
    """Items that others took with a user's history, in the user's record; 0 counts none."""
    similar_partners: int = Field(default=128, ge=1)
    """Items that an item is remembered to occur with, in either way, at 12 bytes each."""
    pair_items: int = Field(default=100, ge=0)
    """Items that a user's history tells most of, for or against, as pairs of items have learned
    it, in the user's record; 0 learns none."""
    pair_history: int = Field(default=100, ge=1)
    """Of the items kept as seen, so many of the latest that the user took or looked at count."""
    pairs: int = Field(default=4_000_000, ge=1)
    """Learned pairs that are remembered, at 8 bytes each, an equal share for each item: 512 at most
    and 16 at least."""
    context_items: int = Field(default=50, ge=0)
    """Items for each feature of a user's context, in the user's record; 0 counts none."""
    context_values: int = Field(default=2_000, ge=1)
    """Latest context values, such as cities, whose items are counted."""
    seed: int = 0
    """Seed of every random choice."""
    warm_start: Path | None = None
    """File of `penstock pretrain` whose vectors items' embeddings begin with; other items begin as
    they would without it."""

    @field_validator("exposures_only")
    @classmethod
    def _have_negatives(cls, allowed: bool, others: ValidationInfo) -> bool:
        """Recall tells an item from the whole catalogue: negatives must come from there."""
        names = ("in_batch_negatives", "uniform_negatives", "exposure_negatives")
        sampled_in_batch, uniform, exposures = (others.data.get(name, 1) for name in names)
        if sampled_in_batch or uniform or (exposures and allowed):
            return allowed
        kind, msg = (
            "negatives",
            "recall must learn from negatives of the whole catalogue, and exposures were chosen by "
            "recall before; set towers.uniform_negatives or towers.in_batch_negatives, or "
            "towers.exposures_only = true with towers.exposure_negatives to learn from them alone",
        )
        raise PydanticCustomError(kind, msg)

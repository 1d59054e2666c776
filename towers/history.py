"""What a user acted on lately, as one vector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from towers.arrays import Floats, Ints


def history_weights(actions: Floats, decay: float) -> Floats:
    """(users, history): decay^age times the action's weight, as shares of 1; newest first.

    `actions` holds the action weights, 0 where there is no item. A user without items keeps 0.
    """
    ages = decay ** torch.arange(actions.shape[1]).numpy()  # (history,)
    weights = actions * ages
    totals = weights.sum(axis=1, keepdims=True)
    shares: Floats = (weights / (totals + (totals == 0))).astype(actions.dtype)
    return shares


def history_means(sums: Tensor, places: Ints, weights: Floats) -> Tensor:
    """(users, dim): weighted mean of the items' sums.

    sums: (items, dim). places: (users, history), rows of `sums`, any row where the weight is 0.
    """
    if not places.size or not len(sums):
        return sums.new_zeros(len(places), sums.shape[1])
    means: Tensor = F.embedding_bag(
        torch.from_numpy(places),
        sums,
        mode="sum",
        per_sample_weights=torch.from_numpy(weights),
    )  # (users, dim)
    return means

"""What a user acted on lately, as one vector."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from towers.arrays import Floats, Ints
from towers.bag_sums import bag_sums


def history_weights(actions: Floats, decay: float) -> Floats:
    """(users, history): decay^age times the action's weight, as shares of 1; newest first.

    `actions` holds the action weights, 0 where there is no item. A user without items keeps 0.
    """
    ages = decay ** np.arange(actions.shape[1])  # (history,)
    weights = actions * ages
    totals = weights.sum(axis=1, keepdims=True)
    shares: Floats = (weights / (totals + (totals == 0))).astype(actions.dtype)
    return shares


def history_means(sums: Tensor, places: Ints, weights: Floats) -> Tensor:
    """(users, dim): weighted mean of the items' sums.

    sums: (items, dim). places: (users, history), rows of `sums`, any row where the weight is 0.
    """
    lengths = np.full(len(places), places.shape[1])
    return bag_sums(sums, places.ravel(), weights.ravel(), lengths)

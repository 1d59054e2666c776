"""The user tower `mlp`: what the user acted on and what is known of them, at unit length."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from towers.arrays import Floats, Ints

_GENERIC_NORM = 0.1


class UserTower(nn.Module):
    """Residual MLP over the summed inputs: normalise(x + W2 relu(W1 x + b1) + b2).

    It begins as the identity, but for a small b2: the direction of a user of whom nothing is
    known, which learning turns into what such users take.
    """

    def __init__(self, dim: int, hidden: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.hidden = nn.Linear(dim, hidden)
        self.out = nn.Linear(hidden, dim)
        with torch.no_grad():
            self.hidden.weight.normal_(0, (2 / dim) ** 0.5, generator=generator)  # He et al., 2015
            self.hidden.bias.zero_()
            self.out.weight.zero_()
            self.out.bias.normal_(0, _GENERIC_NORM / dim**0.5, generator=generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """(users, dim) unit vectors of (users, dim) summed inputs."""
        hidden = torch.relu(self.hidden(inputs))  # (users, hidden)
        return F.normalize(inputs + self.out(hidden))


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
    if not len(sums):
        return sums.new_zeros(len(places), sums.shape[1])
    means: Tensor = F.embedding_bag(
        torch.from_numpy(places),
        sums,
        mode="sum",
        per_sample_weights=torch.from_numpy(weights),
    )  # (users, dim)
    return means

"""User towers: from what a user acted on and what is known of them to one vector.

One contract: the history and the features, both (users, dim), in; (users, dim) out, of any length.
Each begins as about their sum, and gives a user of whom nothing is known a direction too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from schemas.settings import TowerSettings
from towers.layers import CrossLayers, Mlp, small_direction

CROSS_LAYERS = 2
"""Products of up to three inputs."""


class SumTower(nn.Module):
    """history + features + b."""

    def __init__(self, settings: TowerSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.generic = nn.Parameter(small_direction(settings.dim, generator))

    def forward(self, history: Tensor, features: Tensor) -> Tensor:
        """(users, dim)"""
        return history + features + self.generic


class MlpTower(nn.Module):
    """x + MLP(x) of x = history + features."""

    def __init__(self, settings: TowerSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.mlp = Mlp(settings.dim, settings.hidden, settings.dim, generator)

    def forward(self, history: Tensor, features: Tensor) -> Tensor:
        """(users, dim)"""
        inputs = history + features
        outputs: Tensor = inputs + self.mlp(inputs)
        return outputs


class CrossTower(nn.Module):
    """history + features + MLP(cross layers of both side by side): DCN-v2, stacked."""

    def __init__(self, settings: TowerSettings, generator: torch.Generator) -> None:
        super().__init__()
        width = 2 * settings.dim
        self.cross = CrossLayers(width, CROSS_LAYERS)
        self.mlp = Mlp(width, settings.hidden, settings.dim, generator)

    def forward(self, history: Tensor, features: Tensor) -> Tensor:
        """(users, dim)"""
        crossed = self.cross(torch.cat([history, features], dim=1))  # (users, 2 dim)
        outputs: Tensor = history + features + self.mlp(crossed)
        return outputs


USER_TOWERS = {"sum": SumTower, "mlp": MlpTower, "dcn": CrossTower, "dot": SumTower}
"""By `towers.user_tower`."""


def make_user_tower(settings: TowerSettings, seed: int) -> nn.Module:
    """The tower of the settings; the same seed gives the same."""
    return USER_TOWERS[settings.user_tower](settings, torch.Generator().manual_seed(seed))

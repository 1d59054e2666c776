"""Dense layers of the towers, which begin as next to nothing, so that the embeddings lead."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_GENERIC_NORM = 0.1


def small_direction(dim: int, generator: torch.Generator) -> Tensor:
    """(dim,): about .1 long; the answer to inputs of zeros, which have no direction."""
    direction: Tensor = torch.randn(dim, generator=generator) * (_GENERIC_NORM / dim**0.5)
    return direction


class Mlp(nn.Module):
    """W2 relu(W1 x + b1) + b2. W2 begins at zero and b2 as a small direction."""

    def __init__(self, width: int, hidden: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, dim)
        with torch.no_grad():
            he = (2 / width) ** 0.5  # He et al., 2015
            self.hidden.weight.normal_(0, he, generator=generator)
            self.hidden.bias.zero_()
            self.out.weight.zero_()
            self.out.bias.copy_(small_direction(dim, generator))

    def forward(self, inputs: Tensor) -> Tensor:
        """(rows, dim) of (rows, width)."""
        hidden = torch.relu(self.hidden(inputs))  # (rows, hidden)
        outputs: Tensor = self.out(hidden)
        return outputs


class CrossLayers(nn.Module):
    """x_{l+1} = x_0 * (W_l x_l + b_l) + x_l, with full matrices: products of up to L + 1 inputs.

    DCN-v2: Wang et al., WWW 2021, eq. 1. W and b begin at zero, so that x_L = x_0.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()

    def forward(self, inputs: Tensor) -> Tensor:
        """(rows, width) of (rows, width)."""
        crossed = inputs
        for layer in self.layers:
            crossed = inputs * layer(crossed) + crossed
        return crossed

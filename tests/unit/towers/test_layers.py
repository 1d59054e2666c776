from __future__ import annotations

import torch

from towers.layers import CrossLayers


@torch.no_grad()
def test_cross_layers_are_dcn_v2s_equation() -> None:
    """x_{l+1} = x_0 * (W_l x_l + b_l) + x_l, row by row."""
    cross = CrossLayers(width=3, layers=2)
    generator = torch.manual_seed(0)
    for parameter in cross.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    inputs = torch.randn(5, 3, generator=generator)
    weights = [parameter.clone() for parameter in cross.parameters()]
    for first, found in zip(inputs, cross(inputs), strict=True):
        crossed = first
        for matrix, bias in (weights[:2], weights[2:]):
            crossed = first * (matrix @ crossed + bias) + crossed
        torch.testing.assert_close(found, crossed)


def test_cross_layers_begin_as_the_identity() -> None:
    inputs = torch.randn(5, 3, generator=torch.manual_seed(0))
    torch.testing.assert_close(CrossLayers(width=3, layers=2)(inputs), inputs)

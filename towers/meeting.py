"""How the two sides meet: every vector served has unit length, whatever the model scores by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST = 1e-6  # the slope of a square root has no bound at 0


class Meeting(NamedTuple):
    """What is done to the outputs of the towers, so that their product is the model's score."""

    users: Callable[[Tensor], Tensor]
    """(users, dim) of (users, dim)"""
    items: Callable[[Tensor], Tensor]
    """(items, dim) unit vectors of (items, dim)"""


def by_cosine() -> Meeting:
    """The score is the cosine of the outputs."""
    return Meeting(F.normalize, F.normalize)


def by_product() -> Meeting:
    """The score is the inner product of the outputs, but for their last coordinate.

    An item is at most 1 long, which a user of any length makes up for. The last coordinate fills it
    up to unit length and is 0 in users, so that by a user's direction alone the largest product is
    the largest cosine: Bachrach et al., RecSys 2014. A user's length orders nothing.
    """
    return Meeting(_flat, _lifted)


def _flat(users: Tensor) -> Tensor:
    return F.pad(users[:, :-1], (0, 1))


def _lifted(items: Tensor) -> Tensor:
    short = items[:, :-1]
    short = short / torch.linalg.vector_norm(short, dim=1, keepdim=True).clamp(min=1)
    rest = 1 - short.square().sum(dim=1, keepdim=True)  # (items, 1)
    return torch.cat([short, rest.clamp(min=_LEAST).sqrt()], dim=1)

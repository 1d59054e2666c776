"""Embedding rows learned by row-wise Adagrad."""

from __future__ import annotations

import torch
from torch import Tensor

_EPS = 1e-10


class Rows:
    """(rows, dim) weights, each row with one step size, from its mean square (Gupta et al., 2014).

    In a batch a frequent row has many gradients, whose sum would be too long a step for one rate;
    here the longer the sums were, the smaller the rate.
    """

    def __init__(self, weight: Tensor, rate: float) -> None:
        self.weight = weight
        self._rate = rate
        self._squares = torch.zeros(len(weight))

    def descend(self, index: Tensor, gradients: Tensor) -> None:
        """One step; index: (n,) rows, with repeats; gradients: (n, dim), those of a row add up."""
        distinct, places = torch.unique(index, return_inverse=True)
        sums = torch.zeros(len(distinct), gradients.shape[1]).index_add_(0, places, gradients)
        self._squares[distinct] += torch.linalg.vecdot(sums, sums) / sums.shape[1]
        rates = self._rate / (self._squares[distinct].sqrt() + _EPS)
        self.weight.index_add_(0, distinct, rates.unsqueeze(1) * sums, alpha=-1)

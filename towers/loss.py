"""List-wise loss: sampled softmax with the logQ correction."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from towers.arrays import Floats


def listwise_loss(
    users: Tensor,
    columns: Tensor,
    log_counts: Tensor,
    excluded: Tensor,
    weights: Tensor,
    tau: float,
    extra: Tensor | None = None,
    extra_absent: Tensor | None = None,
) -> Tensor:
    """Weighted mean over rows of -log softmax of the target among all columns; a scalar.

    users: (rows, dim). columns: (columns, dim), of which column i < rows is the target of row i.
    log_counts: (columns,), log of how often the sampling is expected to bring that column's item
    (Bengio & Senecal, 2008; Yi et al., RecSys 2019, eq. 5). excluded: (rows, columns), true where
    a column is no negative of that row (accidental hits); a target is never excluded. weights:
    (rows,), at least one above 0. extra: (rows, extra, dim), negatives of that row alone, which
    were not sampled and so get no correction; extra_absent: (rows, extra), true where none is.
    """
    rows = len(users)
    own = torch.eye(rows, len(columns), dtype=torch.bool)  # (rows, columns)
    shifts = (-log_counts).repeat(rows, 1)  # (rows, columns)
    shifts.masked_fill_(excluded & ~own, -torch.inf)
    # One fused pass over (rows, columns), which is most of a step's work.
    logits = torch.addmm(shifts, users / tau, columns.T)  # (rows, columns)
    losses = F.cross_entropy(logits, torch.arange(rows), reduction="none")  # (rows,)
    if extra is not None and extra_absent is not None and extra.shape[1]:
        more = torch.einsum("rd,red->re", users, extra) / tau  # (rows, extra)
        more = (more - logits.diagonal().unsqueeze(1)).masked_fill(extra_absent, -torch.inf)
        losses = torch.logsumexp(torch.cat([losses.unsqueeze(1), more], dim=1), dim=1)
    return (weights * losses).sum() / weights.sum()


def expected_counts(frequencies: Floats, rows: int, uniform: int, items: int) -> Floats:
    """(columns,): expected times an item is among the columns: batch plus uniform draws.

    frequencies: (columns,), probability that the next positive is that column's item.
    """
    counts: Floats = rows * frequencies + np.float32(uniform / max(items, 1))
    return counts

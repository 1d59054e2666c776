"""The sampled softmax with its gradients by hand: most of a learning step's work."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SampledSoftmax(torch.autograd.Function):
    """-log softmax of each row's target; autograd's own way takes twice as long.

    users: (rows, dim). columns: (columns, dim), of which column i < rows is the target of row i.
    extra: (rows, extra, dim). shifts: (columns,), added to the logits of the columns. excluded:
    (rows, columns) and absent: (rows, extra), true where a row has none there; a target it always
    has. Gives (rows,).
    """

    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        columns: Tensor,
        extra: Tensor,
        shifts: Tensor,
        excluded: Tensor,
        absent: Tensor,
    ) -> Tensor:
        """The losses; the shares of the softmax, not yet divided, are kept for `backward`.

        Every step on the logits of the columns, which are many, is done where they lie.
        """
        sampled = torch.addmm(shifts, users, columns.T)  # (rows, columns)
        targets = sampled.diagonal().clone()  # (rows,)
        sampled.masked_fill_(excluded, -torch.inf)
        sampled.diagonal().copy_(targets)
        shown = torch.linalg.vecdot(users.unsqueeze(1), extra)  # (rows, extra)
        shown.masked_fill_(absent, -torch.inf)
        top = sampled.amax(dim=1)  # (rows,), finite as the target is among them
        if shown.shape[1]:
            top = torch.maximum(top, shown.amax(dim=1))
        sampled.sub_(top.unsqueeze(1)).exp_()
        shown.sub_(top.unsqueeze(1)).exp_()
        totals = sampled.sum(dim=1) + shown.sum(dim=1)  # (rows,), at least 1
        ctx.save_for_backward(users, columns, extra, sampled, shown, totals)
        losses: Tensor = top + totals.log() - targets
        return losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        """A logit's gradient is its share, less 1 where it is the target's."""
        users, columns, extra, sampled, shown, totals = ctx.saved_tensors
        (gradient,) = gradients  # (rows,)
        each = (gradient / totals).unsqueeze(1)  # (rows, 1)
        # The rows' factors go to the smaller matrices: (each * S) @ C is each * (S @ C).
        own = columns[: len(users)]  # the targets
        shown = (each * shown).unsqueeze(2)  # (rows, extra, 1)
        to_users = (sampled @ columns).mul_(each).addcmul_(own, gradient.unsqueeze(1), value=-1)
        to_columns = sampled.T @ (each * users)  # (columns, dim)
        to_columns[: len(users)].addcmul_(users, gradient.unsqueeze(1), value=-1)
        to_users.add_((shown * extra).sum(dim=1))
        return to_users, to_columns, shown * users.unsqueeze(1), None, None, None

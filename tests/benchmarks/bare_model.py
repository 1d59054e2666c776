"""The model's shapes as a bare torch loop over ready batches: what the learner is compared with.

One Adam over everything; no ids, no trend, no tables that grow, no batches to put together.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.settings import TowerSettings


class BareBatch(NamedTuple):
    """Random rows of the learner's shapes."""

    latest: Tensor  # (rows, history)
    shares: Tensor  # (rows, history)
    columns: Tensor  # (rows + uniform,), the rows' targets first
    log_counts: Tensor  # (rows + uniform,)
    passed: Tensor  # (rows, extra)


def bare_batch(towers: TowerSettings, rows: int, items: int, seed: int) -> BareBatch:
    chance = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randint(items, shape, generator=chance)

    columns = rows + towers.uniform_negatives
    return BareBatch(
        latest=draw(rows, towers.history),
        shares=torch.full((rows, towers.history), 1 / towers.history),
        columns=draw(columns),
        log_counts=torch.full((columns,), columns / items).log(),
        passed=draw(rows, towers.exposure_negatives),
    )


class BareModel(nn.Module):
    """Id row + one category row an item; a residual MLP over the mean of the history."""

    def __init__(self, towers: TowerSettings, items: int, categories: int) -> None:
        super().__init__()
        torch.manual_seed(towers.seed)
        self._tau = towers.tau
        self._category = torch.arange(items) % categories  # (items,)
        self.ids = nn.Embedding(items, towers.dim)
        self.categories = nn.Embedding(categories, towers.dim)
        self.mlp = nn.Sequential(
            nn.Linear(towers.dim, towers.hidden), nn.ReLU(), nn.Linear(towers.hidden, towers.dim)
        )
        self._adam = torch.optim.Adam(self.parameters(), towers.dense_lr, fused=True)

    def sums(self, items: Tensor) -> Tensor:
        """(*items, dim)"""
        found: Tensor = self.ids(items) + self.categories(self._category[items])
        return found

    def encode(self, latest: Tensor, shares: Tensor) -> Tensor:
        """(users, dim): unit vectors."""
        history = torch.einsum("uh,uhd->ud", shares, self.sums(latest))  # (users, dim)
        return F.normalize(history + self.mlp(history))

    def learn(self, batch: BareBatch) -> float:
        """One step: sampled softmax with the logQ correction, and the passed items."""
        users = self.encode(batch.latest, batch.shares)  # (rows, dim)
        columns = F.normalize(self.sums(batch.columns))  # (columns, dim)
        logits = users @ columns.T / self._tau - batch.log_counts  # (rows, columns)
        passed = F.normalize(self.sums(batch.passed), dim=-1)  # (rows, extra, dim)
        more = torch.einsum("ud,ued->ue", users, passed) / self._tau  # (rows, extra)
        targets = torch.arange(len(users))  # (rows,)
        loss = F.cross_entropy(torch.cat([logits, more], dim=1), targets)
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        self._adam.step()
        return loss.item()

"""Where items' embeddings begin: the vectors of an earlier stream, where there are any."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from schemas.errors import SettingsError
from schemas.settings import TowerSettings
from towers.graph.vector_file import VectorFile, read_vectors
from towers.table import NEW_NORM

log = logging.getLogger(__name__)


class WarmStart:
    """Vectors by item id, ready to begin with; counts how many were begun with.

    Each is brought to the length of any new row.
    """

    def __init__(self, content: VectorFile) -> None:
        self.method = content.method
        self._rows = {item_id: row for row, item_id in enumerate(content.item_ids)}
        self._used = np.zeros(len(self._rows), np.bool_)
        vectors = torch.from_numpy(content.vectors.astype(np.float32))
        self._vectors = torch.nn.functional.normalize(vectors) * NEW_NORM  # (items, dim)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def matched(self) -> int:
        """Items that were asked for and known."""
        return int(self._used.sum())

    def start(self, item_id: str) -> Tensor | None:
        """(dim,): where the item begins; None: cold."""
        row = self._rows.get(item_id)
        if row is None:
            return None
        self._used[row] = True
        return self._vectors[row]

    def say(self, items: int) -> None:
        """Log what became of it, once `items` are known; nothing without vectors."""
        if len(self):
            log.info(
                "warm_start=used method=%s vectors=%d matched=%d cold=%d",
                self.method,
                len(self),
                self.matched,
                max(0, items - self.matched),
            )


COLD = WarmStart(VectorFile("none", [], np.zeros((0, 0), np.float32), np.zeros(0, np.float32)))
"""Without vectors."""


def read_warm_start(settings: TowerSettings) -> WarmStart:
    """What `warm_start` names, or `COLD`.

    Raises SettingsError when its dimension is not the model's, DatasetError when it can't be read.
    """
    if settings.warm_start is None:
        return COLD
    content = read_vectors(settings.warm_start)
    check_dim(content, settings, str(settings.warm_start))
    log.info(
        "warm_start=read file=%s method=%s vectors=%d dim=%d",
        settings.warm_start,
        content.method,
        len(content.item_ids),
        content.vectors.shape[1],
    )
    return WarmStart(content)


def check_dim(content: VectorFile, settings: TowerSettings, name: str) -> None:
    """Raises SettingsError when the vectors have not the model's dimension."""
    dim = content.vectors.shape[1]
    if dim != settings.dim:
        msg = (
            f"vectors have the dimension towers.dim, {settings.dim}; those of {name} have {dim}; "
            f"pretrain with --dim {settings.dim}, or set towers.dim = {dim} in a new epoch"
        )
        raise SettingsError(msg)

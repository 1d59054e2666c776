"""Brute force: every vector is compared. The oracle of the other backends, and best when small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index_service.backend import Neighbours, check_query, check_vectors
from index_service.ranking import top
from index_service.slots import VectorSlots
from schemas.vectors import Float32Array


class ExactBackend:
    """A `Backend` that is always right: one matrix product a query."""

    def __init__(self, dim: int) -> None:
        self._slots = VectorSlots(dim)

    def upsert(self, ids: Sequence[str], vectors: Float32Array) -> None:
        """See `Backend.upsert`."""
        check_vectors(vectors, len(ids), self._slots.dim)
        for item_id, vector in zip(ids, vectors, strict=True):
            self._slots.put(item_id, vector)

    def delete(self, ids: Sequence[str]) -> None:
        """See `Backend.delete`."""
        for item_id in ids:
            self._slots.remove(item_id)

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`; exact."""
        check_query(query, k, self._slots.dim)
        ids, slots = self._slots.occupied()
        cosines = self._slots.vectors[slots] @ query  # (items,)
        best = top(cosines, k)
        best = best[np.argsort(-cosines[best], kind="stable")]
        return Neighbours([ids[position] for position in best], cosines[best])

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def dead_share(self) -> float:
        """Always 0: slots are used again."""
        return 0.0

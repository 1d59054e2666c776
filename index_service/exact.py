"""Brute force: every vector is compared. The oracle of the other backends, and best when small."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index_service.backend import Metric, Neighbours, prepared, prepared_queries
from index_service.backend_file import load_arrays, save_arrays
from index_service.ranking import top
from index_service.slots import VectorSlots
from schemas.vectors import Float32Array


class ExactBackend:
    """A `Backend` that is always right: one matrix product for all queries of a call."""

    def __init__(self, dim: int, metric: Metric = "cosine") -> None:
        self._metric = metric
        self._slots = VectorSlots(dim)
        self._lock = threading.Lock()
        self.breadth = 1

    def upsert(self, ids: Sequence[str], vectors: Float32Array) -> None:
        """See `Backend.upsert`."""
        rows = prepared(vectors, len(ids), self._slots.dim, self._metric)
        with self._lock:
            for item_id, row in zip(ids, rows, strict=True):
                self._slots.put(item_id, row)

    def delete(self, ids: Sequence[str]) -> None:
        """See `Backend.delete`."""
        with self._lock:
            for item_id in ids:
                self._slots.remove(item_id)

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`; exact."""
        return self.search_many(query[np.newaxis], k)[0]

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """See `Backend.search_many`; exact."""
        rows = prepared_queries(queries, k, self._slots.dim, self._metric)
        with self._lock:
            ids, slots = self._slots.occupied()
            products = rows @ self._slots.vectors.T  # (queries, used)
            if self._metric == "l2":
                squares = np.einsum("ij,ij->i", self._slots.vectors, self._slots.vectors)
                products = 2 * products - squares - np.einsum("ij,ij->i", rows, rows)[:, None]
        return [_nearest(ids, scores, k) for scores in products[:, slots]]

    def save(self, path: Path) -> None:
        """See `Backend.save`."""
        ids, slots = self._slots.occupied()
        vectors = self._slots.vectors[slots]
        save_arrays(path, "exact", self._metric, self._slots.dim, ids, [vectors])

    def load(self, path: Path) -> None:
        """See `Backend.load`."""
        dim = self._slots.dim
        ids, arrays, _ = load_arrays(path, "exact", self._metric, dim)
        slots = VectorSlots.of(ids, arrays.take("<f4", (len(ids), dim)).copy())
        with self._lock:
            self._slots = slots

    def close(self) -> None:
        """See `Backend.close`: it holds nothing."""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def dead_share(self) -> float:
        """Always 0: slots are used again."""
        return 0.0


def _nearest(ids: list[str], scores: Float32Array, k: int) -> Neighbours:
    best = top(scores, k)
    best = best[np.argsort(-scores[best], kind="stable")]
    return Neighbours([ids[position] for position in best], scores[best])

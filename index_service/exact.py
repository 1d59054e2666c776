"""Brute force: every vector is compared. The oracle of the other backends, and best when small."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from index_service.backend import (
    Metric,
    Neighbours,
    last_of_each,
    prepared,
    prepared_queries,
)
from index_service.backend_file import load_arrays, save_arrays
from index_service.keyed_vectors import KeyedVectors
from index_service.ranking import top
from index_service.slots import IntArray
from schemas.vectors import Float32Array


class ExactBackend:
    """A `Backend` that is always right: one matrix product for all queries of a call."""

    def __init__(self, dim: int, metric: Metric = "cosine") -> None:
        self._metric = metric
        self._dim = dim
        self._held = KeyedVectors(dim)
        self._lock = threading.Lock()
        self.breadth = 1

    def upsert(self, keys: IntArray, vectors: Float32Array) -> None:
        """See `Backend.upsert`."""
        keys, rows = last_of_each(keys, prepared(vectors, len(keys), self._dim, self._metric))
        with self._lock:
            self._held.put(keys, rows)

    def delete(self, keys: IntArray) -> None:
        """See `Backend.delete`."""
        with self._lock:
            self._held.remove(self._held.among(np.unique(keys)))

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`; exact."""
        return self.search_many(query[np.newaxis], k)[0]

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """See `Backend.search_many`; exact."""
        rows = prepared_queries(queries, k, self._dim, self._metric)
        with self._lock:
            keys, vectors = self._held.keys, self._held.rows
            products = rows @ vectors.T  # (queries, capacity)
            if self._metric == "l2":
                squares = np.einsum("ij,ij->i", vectors, vectors)
                products = 2 * products - squares - np.einsum("ij,ij->i", rows, rows)[:, None]
        return [_nearest(keys, scores, k) for scores in products[:, keys]]

    def save(self, path: Path) -> None:
        """See `Backend.save`."""
        keys = self._held.keys
        save_arrays(path, "exact", self._metric, self._dim, keys, [self._held.rows[keys]])

    def load(self, path: Path) -> None:
        """See `Backend.load`."""
        keys, arrays, _ = load_arrays(path, "exact", self._metric, self._dim)
        held = KeyedVectors(self._dim)
        held.put(keys, arrays.take("<f4", (len(keys), self._dim)))
        with self._lock:
            self._held = held

    def close(self) -> None:
        """See `Backend.close`: it holds nothing."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def dead_share(self) -> float:
        """Always 0: rows are used again."""
        return 0.0


def _nearest(keys: IntArray, scores: Float32Array, k: int) -> Neighbours:
    best = top(scores, k)
    best = best[np.argsort(-scores[best], kind="stable")]
    return Neighbours(keys[best], scores[best])

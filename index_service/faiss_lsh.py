"""Faiss' locality-sensitive hashing as a backend: the signs of random projections."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from index_service.backend import Metric, scores_of
from index_service.faiss_backend import FaissBackend
from index_service.slots import IntArray
from schemas.vectors import Float32Array

_BITS_PER_DIMENSION = 8
_MORE = 50


class FaissLshBackend(FaissBackend):
    """A `Backend` that compares codes of 8 bits a dimension, all of them, and ranks the best.

    `breadth` is how many candidates it ranks exactly for each item asked for. Codes know
    directions only, so cosine is its only metric.
    """

    name = "faiss-lsh"

    def __init__(self, dim: int, metric: Metric = "cosine", breadth: int = 8) -> None:
        if metric != "cosine":
            msg = f"faiss-lsh compares directions; got the metric {metric!r}; use faiss-ivf"
            raise ValueError(msg)
        super().__init__(dim, metric, breadth)

    def _new_index(self) -> Any:
        codes = faiss.IndexLSH(self._dim, _BITS_PER_DIMENSION * self._dim)
        index = faiss.IndexIDMap2(codes)
        index.own_fields = True
        codes.this.disown()
        return index

    def _nearest(self, queries: Float32Array, k: int) -> list[tuple[IntArray, Float32Array]]:
        wanted = min(len(self), self.breadth * k + _MORE)
        found = self._index.search(queries, wanted)[1]
        return [self._ranked(*each, k) for each in zip(queries, found, strict=True)]

    def _ranked(self, query: Float32Array, keys: IntArray, k: int) -> tuple[IntArray, Float32Array]:
        scores = scores_of(self._held.rows[keys], query, self._metric)
        best = np.argsort(-scores, kind="stable")[:k]
        return keys[best], scores[best]

    def _settle(self) -> None:
        """Projections are drawn once, whatever the vectors."""

"""Faiss' inverted lists as a backend: vectors by nearest centroid (Jégou et al., PAMI 2011)."""

from __future__ import annotations

import math
from typing import Any

import faiss
import numpy as np

from index_service.backend import Metric
from index_service.faiss_backend import FaissBackend
from index_service.slots import IntArray
from schemas.vectors import Float32Array

_FLAT_BELOW = 2_000
"""Fewer items are compared one by one: centroids of so few say little."""
_LISTS_PER_ROOT = 2
"""Lists for each item on the way to the square root of their number."""
_GROWTH = 4
"""Centroids are learned anew when there are so many times the items, or after so many writes
for each item: then they are of another time."""
_POINTS_PER_LIST = 48
_ITERATIONS = 8


class FaissIvfBackend(FaissBackend):
    """A `Backend` that looks into the lists of the `breadth` nearest centroids.

    A write is cheap and leaves nothing behind. What depends on the data is how many lists must be
    looked into: few where items come in clusters, a third of all where they don't.
    """

    name = "faiss-ivf"

    def __init__(self, dim: int, metric: Metric = "cosine", breadth: int = 16) -> None:
        self._learned_from = 0
        self._writes = 0
        super().__init__(dim, metric, breadth)

    @property
    def lists(self) -> int:
        """Into how many lists the items are parted; 0 while there are too few."""
        return 0 if not self._learned_from else int(self._index.nlist)

    def _new_index(self) -> Any:
        self._learned_from, self._writes = 0, 0
        flat = self._flat()
        index = faiss.IndexIDMap2(flat)
        index.own_fields = True
        flat.this.disown()
        return index

    def _flat(self) -> Any:
        if self._metric == "l2":
            return faiss.IndexFlatL2(self._dim)
        return faiss.IndexFlatIP(self._dim)

    def _nearest(self, queries: Float32Array, k: int) -> list[tuple[IntArray, Float32Array]]:
        if not self._learned_from:
            distances, found = self._index.search(queries, k)
        else:
            distances, found = self._look_into_lists(queries, k)
        scores = -distances if self._metric == "l2" else distances
        if found.min() >= 0:
            return list(zip(found, scores, strict=True))
        pairs = zip(found, scores, strict=True)
        return [(keys[keys >= 0], some[keys >= 0]) for keys, some in pairs]

    def _look_into_lists(self, queries: Float32Array, k: int) -> Any:
        """Distances and keys (queries, k), of more lists where these hold too few items."""
        probes, lists = min(self.breadth, self.lists), self.lists
        while True:
            self._index.nprobe = probes
            distances, found = self._index.search(queries, k)
            if probes == lists or found.min() >= 0:
                return distances, found
            probes = min(4 * probes, lists)

    def _put_in(self, keys: IntArray, vectors: Float32Array) -> None:
        faiss.omp_set_num_threads(1)
        self._writes += len(keys)
        super()._put_in(keys, vectors)

    def _settle(self) -> None:
        """Learn centroids where it is time; searches go on with the old ones meanwhile."""
        items = len(self)
        stale = self._writes >= _GROWTH * max(items, self._learned_from)
        grown = items >= _GROWTH * self._learned_from
        if items < _FLAT_BELOW or not (grown or stale):
            return
        faiss.omp_set_num_threads(1)
        keys = self._held.keys
        vectors = self._held.rows[keys]  # (items, dim)
        index = self._trained(vectors)
        index.add_with_ids(vectors, keys.astype(np.int64))
        with self._lock:
            self._index, self._learned_from, self._writes = index, items, 0

    def _trained(self, vectors: Float32Array) -> Any:
        lists = int(_LISTS_PER_ROOT * math.sqrt(len(vectors)))
        measure = faiss.METRIC_L2 if self._metric == "l2" else faiss.METRIC_INNER_PRODUCT
        quantizer = self._flat()
        index = faiss.IndexIVFFlat(quantizer, self._dim, lists, measure)
        index.own_fields = True  # or the centroids would go with the Python object
        quantizer.this.disown()
        index.cp.niter = _ITERATIONS
        index.cp.max_points_per_centroid = _POINTS_PER_LIST
        index.cp.min_points_per_centroid = 1
        index.train(vectors)
        index.set_direct_map_type(faiss.DirectMap.Hashtable)
        return index

"""What the Faiss backends share: vectors by key, and a Faiss index of them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index_service.backend import (
    NOTHING,
    Metric,
    Neighbours,
    last_of_each,
    prepared,
    prepared_queries,
)
from index_service.backend_file import load_arrays, save_arrays
from index_service.keyed_vectors import KeyedVectors
from index_service.slots import IntArray
from schemas.vectors import Float32Array


class FaissBackend(ABC):
    """A `Backend` of a Faiss index, and of the vectors, which not every index gives back.

    Faiss allows no search beside a write, so both take a lock; each holds it for a call.
    """

    name: str

    def __init__(self, dim: int, metric: Metric, breadth: int) -> None:
        self._dim = dim
        self._metric = metric
        self._held = KeyedVectors(dim)
        self._lock = threading.Lock()
        self._index = self._new_index()
        self.breadth = breadth

    @abstractmethod
    def _new_index(self) -> Any:
        """An empty index that takes vectors with ids."""

    @abstractmethod
    def _nearest(self, queries: Float32Array, k: int) -> list[tuple[IntArray, Float32Array]]:
        """For each of `queries` (queries, dim) keys by falling score, and the scores; k >= 1."""

    @abstractmethod
    def _settle(self) -> None:
        """After a write, with no lock held: what the index needs to stay good."""

    def upsert(self, keys: IntArray, vectors: Float32Array) -> None:
        """See `Backend.upsert`. Many in one call are cheaper."""
        keys, rows = last_of_each(keys, prepared(vectors, len(keys), self._dim, self._metric))
        with self._lock:
            self._take_out(self._held.among(keys))
            self._held.put(keys, rows)
            if len(keys):
                self._put_in(keys, rows)
        self._settle()

    def delete(self, keys: IntArray) -> None:
        """See `Backend.delete`."""
        with self._lock:
            gone = self._held.among(np.unique(keys))
            self._held.remove(gone)
            self._take_out(gone)

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`."""
        return self.search_many(query[np.newaxis], k)[0]

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """See `Backend.search_many`."""
        rows = prepared_queries(queries, k, self._dim, self._metric)
        with self._lock:
            wanted = min(k, len(self))
            if not wanted or not len(rows):
                return [NOTHING for _ in rows]
            faiss.omp_set_num_threads(1)  # of this thread; more would take others' cores
            return [Neighbours(*each) for each in self._nearest(rows, wanted)]

    def save(self, path: Path) -> None:
        """See `Backend.save`. The index is made again from the vectors when it is loaded."""
        keys = self._held.keys
        save_arrays(path, self.name, self._metric, self._dim, keys, [self._held.rows[keys]])

    def load(self, path: Path) -> None:
        """See `Backend.load`."""
        keys, arrays, _ = load_arrays(path, self.name, self._metric, self._dim)
        vectors = arrays.take("<f4", (len(keys), self._dim))
        held = KeyedVectors(self._dim)
        held.put(keys, vectors)
        with self._lock:
            self._held, self._index = held, self._new_index()
            if len(keys):
                self._put_in(keys, vectors)
        self._settle()

    def close(self) -> None:
        """See `Backend.close`."""
        self._index.reset()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def dead_share(self) -> float:
        """Always 0: entries are taken out."""
        return 0.0

    def _put_in(self, keys: IntArray, vectors: Float32Array) -> None:
        self._index.add_with_ids(vectors, keys.astype(np.int64))

    def _take_out(self, keys: IntArray) -> None:
        if len(keys):
            labels = keys.astype(np.int64)
            chosen = faiss.IDSelectorArray(len(labels), faiss.swig_ptr(labels))
            self._index.remove_ids(chosen)

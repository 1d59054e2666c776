"""What the Faiss backends share: vectors in slots, and a Faiss index of the slots."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index_service.backend import Metric, Neighbours, prepared, prepared_queries
from index_service.backend_file import load_arrays, save_arrays
from index_service.slots import IntArray, VectorSlots
from schemas.vectors import Float32Array


class FaissBackend(ABC):
    """A `Backend` whose Faiss index knows items by their slots; the slots hold the vectors.

    Faiss allows no search beside a write, so both take a lock; each holds it for a call.
    """

    name: str

    def __init__(self, dim: int, metric: Metric, breadth: int) -> None:
        self._dim = dim
        self._metric = metric
        self._slots = VectorSlots(dim)
        self._lock = threading.Lock()
        self._index = self._new_index()
        self.breadth = breadth

    @abstractmethod
    def _new_index(self) -> Any:
        """An empty index that takes vectors with ids."""

    @abstractmethod
    def _nearest(self, queries: Float32Array, k: int) -> list[tuple[IntArray, Float32Array]]:
        """For each of `queries` (queries, dim) slots by falling score, and the scores; k >= 1."""

    @abstractmethod
    def _settle(self) -> None:
        """After a write, with no lock held: what the index needs to stay good."""

    def upsert(self, ids: Sequence[str], vectors: Float32Array) -> None:
        """See `Backend.upsert`. Many in one call are cheaper."""
        rows = prepared(vectors, len(ids), self._dim, self._metric)
        row_of = {item_id: row for row, item_id in enumerate(ids)}  # the last one counts
        kept = rows[list(row_of.values())]  # (items, dim)
        with self._lock:
            self._take_out(self._slots.slots_of(list(row_of)))
            slots = [self._slots.put(*each) for each in zip(row_of, kept, strict=True)]
            if slots:
                self._put_in(np.array(slots, dtype=np.intp), kept)
        self._settle()

    def delete(self, ids: Sequence[str]) -> None:
        """See `Backend.delete`."""
        with self._lock:
            gone = [slot for each in ids if (slot := self._slots.remove(each)) is not None]
            self._take_out(np.array(gone, dtype=np.intp))

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`."""
        return self.search_many(query[np.newaxis], k)[0]

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """See `Backend.search_many`."""
        rows = prepared_queries(queries, k, self._dim, self._metric)
        with self._lock:
            wanted = min(k, len(self))
            if not wanted or not len(rows):
                return [Neighbours([], np.empty(0, dtype=np.float32)) for _ in rows]
            faiss.omp_set_num_threads(1)  # of this thread; more would take others' cores
            near = self._nearest(rows, wanted)
            return [Neighbours(self._slots.ids_at(slots), scores) for slots, scores in near]

    def save(self, path: Path) -> None:
        """See `Backend.save`. The index is made again from the vectors when it is loaded."""
        ids, slots = self._slots.occupied()
        save_arrays(path, self.name, self._metric, self._dim, ids, [self._slots.vectors[slots]])

    def load(self, path: Path) -> None:
        """See `Backend.load`."""
        ids, arrays, _ = load_arrays(path, self.name, self._metric, self._dim)
        vectors = arrays.take("<f4", (len(ids), self._dim)).copy()
        with self._lock:
            self._slots, self._index = VectorSlots.of(ids, vectors), self._new_index()
            if ids:
                self._put_in(np.arange(len(ids)), vectors)
        self._settle()

    def close(self) -> None:
        """See `Backend.close`."""
        self._index.reset()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def dead_share(self) -> float:
        """Always 0: entries are taken out."""
        return 0.0

    def _put_in(self, slots: IntArray, vectors: Float32Array) -> None:
        self._index.add_with_ids(vectors, slots.astype(np.int64))

    def _take_out(self, slots: IntArray) -> None:
        if len(slots):
            labels = slots.astype(np.int64)
            chosen = faiss.IDSelectorArray(len(labels), faiss.swig_ptr(labels))
            self._index.remove_ids(chosen)

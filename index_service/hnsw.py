"""hnswlib as a backend (Malkov and Yashunin, arXiv:1603.09320)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hnswlib
import numpy as np
import numpy.typing as npt

from index_service.backend import (
    NOTHING,
    Metric,
    Neighbours,
    last_of_each,
    prepared,
    prepared_queries,
)
from index_service.backend_file import load_arrays, save_arrays
from index_service.gate import Gate
from index_service.labels import Labels
from index_service.slots import IntArray
from schemas.settings import IndexSettings
from schemas.vectors import Float32Array

_FIRST_CAPACITY = 1_024
_SEED = 100
_TRIES = 3


class HnswBackend:
    """A `Backend` on one hnswlib graph.

    An update marks the old entry dead and appends a new one under a new label: in-place updates
    are four to five times slower. The dead stay in the graph and cost memory and time until it is
    built anew, which is the caller's business (`dead_share`). `breadth` is hnswlib's ef.

    Searches run beside an append. hnswlib answers some of them with an exception (a neighbour list
    half written): those are tried again. Only when the graph moves in memory do they wait.
    """

    def __init__(self, dim: int, settings: IndexSettings, metric: Metric = "cosine") -> None:
        self._dim = dim
        self._metric = metric
        self._settings = settings
        self._gate = Gate()
        self._breadth = settings.ef_search
        self._start()

    @property
    def breadth(self) -> int:
        """See `Backend.breadth`."""
        return self._breadth

    @breadth.setter
    def breadth(self, breadth: int) -> None:
        self._breadth = breadth
        self._graph.set_ef(breadth)

    def upsert(self, keys: IntArray, vectors: Float32Array) -> None:
        """See `Backend.upsert`. One thread, about 0.2 ms a vector on a graph of 200,000."""
        keys, rows = last_of_each(keys, prepared(vectors, len(keys), self._dim, self._metric))
        if not len(keys):
            return  # hnswlib fails on no rows
        self.delete(keys)
        self._make_room(self._labels.given + len(keys))
        # The labels come first: a search beside this may find the new entries at once.
        labels = self._labels.assign(keys)
        self._graph.add_items(rows, labels, num_threads=1)

    def delete(self, keys: IntArray) -> None:
        """See `Backend.delete`."""
        for label in self._labels.drop(keys.tolist()):
            self._graph.mark_deleted(label)

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`; fewer than min(k, len) only where the graph reaches no more."""
        return self.search_many(query[np.newaxis], k)[0]

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """See `Backend.search_many`: one call of hnswlib, which holds no other thread up."""
        rows = prepared_queries(queries, k, self._dim, self._metric)
        wanted = min(k, len(self))
        if not wanted:
            return [NOTHING for _ in rows]
        with self._gate.reading():
            found = self._try_search(rows, wanted)
            if found is not None:
                return found
            return [self._search_wider(row[np.newaxis], wanted) for row in rows]

    def save(self, path: Path) -> None:
        """See `Backend.save`."""
        keys, labels = self._labels.items()
        numbers = {"given": self._labels.given, "capacity": self._capacity}
        with tempfile.TemporaryDirectory() as folder:
            self._graph.save_index(f"{folder}/graph")
            graph = np.fromfile(f"{folder}/graph", dtype=np.uint8)
        arrays = [np.array(labels, dtype="<i8"), graph]
        at: IntArray = np.array(keys, dtype=np.intp)
        save_arrays(path, "hnsw", self._metric, self._dim, at, arrays, **numbers)

    def load(self, path: Path) -> None:
        """See `Backend.load`."""
        keys, arrays, numbers = load_arrays(path, "hnsw", self._metric, self._dim)
        own = arrays.take("<i8", (len(keys),))
        labels = Labels(keys.tolist(), own.tolist(), numbers["given"])
        graph = hnswlib.Index(space=self._space, dim=self._dim)
        with tempfile.TemporaryDirectory() as folder:
            arrays.rest().tofile(f"{folder}/graph")
            graph.load_index(f"{folder}/graph", max_elements=numbers["capacity"])
        graph.set_ef(self._breadth)
        with self._gate.alone():
            self._graph, self._labels, self._capacity = graph, labels, numbers["capacity"]

    def close(self) -> None:
        """See `Backend.close`: it holds nothing."""

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def dead_share(self) -> float:
        """See `Backend.dead_share`."""
        entries = self._labels.given
        return (entries - len(self._labels)) / entries if entries else 0.0

    @property
    def _space(self) -> str:
        return "l2" if self._metric == "l2" else "ip"  # cosine: of vectors at length 1

    def _start(self) -> None:
        self._graph = hnswlib.Index(space=self._space, dim=self._dim)
        self._graph.init_index(
            max_elements=_FIRST_CAPACITY,
            ef_construction=self._settings.ef_construction,
            M=self._settings.m,
            random_seed=_SEED,
        )
        self._graph.set_ef(self._breadth)
        self._capacity = _FIRST_CAPACITY
        self._labels = Labels()

    def _search_wider(self, query: Float32Array, k: int) -> Neighbours:
        """(1, dim): look at everything once, before asking for less and less."""
        found = self._try_search(query, k)
        if found is None:
            self._graph.set_ef(self._labels.given)  # others search as widely for a moment
            try:
                while k and found is None:
                    found = self._try_search(query, k)
                    k //= 2
            finally:
                self._graph.set_ef(self._breadth)
        return found[0] if found is not None else NOTHING

    def _try_search(self, queries: Float32Array, k: int) -> list[Neighbours] | None:
        """None when a search reached fewer than k living entries; hnswlib raises then."""
        labels: npt.NDArray[np.uint64]
        for left in reversed(range(_TRIES)):
            try:
                labels, distances = self._graph.knn_query(queries, k=k, num_threads=1)
                break
            except RuntimeError as error:
                if "contiguous" in str(error):
                    return None
                if not left:
                    raise
        offset = 0.0 if self._metric == "l2" else 1.0
        scores = offset - distances.astype(np.float32, copy=False)  # (queries, k)
        return [self._living(*each) for each in zip(labels, scores, strict=True)]

    def _living(self, labels: npt.NDArray[np.uint64], scores: Float32Array) -> Neighbours:
        """Without entries that were replaced or deleted during the search."""
        keys = self._labels.keys_of(labels.astype(np.int64))
        living = keys >= 0
        return Neighbours(keys[living], scores[living])

    def _make_room(self, entries: int) -> None:
        if entries > self._capacity:
            with self._gate.alone():
                self._capacity = max(entries, 2 * self._capacity)
                self._graph.resize_index(self._capacity)

"""hnswlib as a backend (Malkov and Yashunin, arXiv:1603.09320)."""

from __future__ import annotations

from collections.abc import Sequence

import hnswlib
import numpy as np
import numpy.typing as npt

from index_service.backend import Neighbours, check_query, check_vectors
from schemas.settings import IndexSettings
from schemas.vectors import Float32Array

_FIRST_CAPACITY = 1_024
_SEED = 100


class HnswBackend:
    """A `Backend` on one hnswlib graph.

    An update marks the old entry dead and appends a new one under a new label: in-place updates
    are four to five times slower. The dead stay in the graph and cost memory and time until it is
    built anew, which is the caller's business (`dead_share`).
    """

    def __init__(self, dim: int, settings: IndexSettings) -> None:
        self._dim = dim
        self._ef_search = settings.ef_search
        # Vectors have unit length, so the inner product is the cosine.
        self._graph = hnswlib.Index(space="ip", dim=dim)
        self._graph.init_index(
            max_elements=_FIRST_CAPACITY,
            ef_construction=settings.ef_construction,
            M=settings.m,
            random_seed=_SEED,
        )
        self._capacity = _FIRST_CAPACITY
        self._label_of: dict[str, int] = {}
        self._id_at: list[str] = []  # by label, the dead included

    def upsert(self, ids: Sequence[str], vectors: Float32Array) -> None:
        """See `Backend.upsert`. One thread, about 0.2 ms a vector on a graph of 25,000."""
        check_vectors(vectors, len(ids), self._dim)
        row_of = {item_id: row for row, item_id in enumerate(ids)}  # the last one counts
        if not row_of:
            return  # hnswlib fails on no rows
        self.delete(list(row_of))
        first = len(self._id_at)
        labels = np.arange(first, first + len(row_of))
        self._make_room(first + len(row_of))
        self._graph.add_items(vectors[list(row_of.values())], labels, num_threads=1)
        self._id_at.extend(row_of)
        self._label_of.update(zip(row_of, labels.tolist(), strict=True))

    def delete(self, ids: Sequence[str]) -> None:
        """See `Backend.delete`."""
        for item_id in ids:
            label = self._label_of.pop(item_id, None)
            if label is not None:
                self._graph.mark_deleted(label)

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`; fewer than min(k, len) only where the graph reaches no more."""
        check_query(query, k, self._dim)
        wanted = min(k, len(self))
        breadth = max(self._ef_search, wanted)
        while wanted:
            found = self._try_search(query, wanted, breadth)
            if found is not None:
                return found
            if breadth < len(self._id_at):
                breadth = len(self._id_at)  # look at everything once before asking for less
            else:
                wanted //= 2
        return Neighbours([], np.empty(0, dtype=np.float32))

    def __len__(self) -> int:
        return len(self._label_of)

    @property
    def dead_share(self) -> float:
        """See `Backend.dead_share`."""
        entries = len(self._id_at)
        return (entries - len(self._label_of)) / entries if entries else 0.0

    def _try_search(self, query: Float32Array, k: int, breadth: int) -> Neighbours | None:
        """None when the search reached fewer than k living entries; hnswlib raises then."""
        self._graph.set_ef(breadth)
        labels: npt.NDArray[np.uint64]
        try:
            labels, distances = self._graph.knn_query(query[np.newaxis], k=k, num_threads=1)
        except RuntimeError as error:
            if "contiguous" not in str(error):
                raise
            return None
        cosines = 1.0 - distances[0].astype(np.float32, copy=False)  # (k,)
        return Neighbours([self._id_at[label] for label in labels[0].tolist()], cosines)

    def _make_room(self, entries: int) -> None:
        if entries > self._capacity:
            self._capacity = max(entries, 2 * self._capacity)
            self._graph.resize_index(self._capacity)

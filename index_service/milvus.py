"""Milvus as a backend: a cluster by URL, or Milvus Lite in a file of this machine."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

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
from index_service.labels import Labels
from index_service.slots import IntArray
from schemas.errors import EnvironmentProblem
from schemas.settings import IndexSettings
from schemas.vectors import Float32Array

_MAX_K = 16_384
"""Milvus gives no more in one search."""
_ROWS_PER_CALL = 2_000
_LABEL, _VECTOR = "label", "vector"


class MilvusBackend:
    """A `Backend` over one Milvus collection, which holds vectors by label; keys stay here.

    The collection is this object's own: it goes with `close`, and after a kill it stays, by a name
    that begins with `penstock_`. `breadth` is the ef of Milvus' HNSW index.
    """

    def __init__(self, dim: int, settings: IndexSettings, metric: Metric = "cosine") -> None:
        """Raises EnvironmentProblem where the library or the server is missing."""
        pymilvus = _load_pymilvus()
        self._dim = dim
        self._metric = metric
        self._failure: type[Exception] = pymilvus.MilvusException
        self._labels = Labels()
        self.breadth = settings.ef_search
        self._name = f"penstock_{uuid.uuid4().hex}"
        token = settings.milvus_token
        try:
            self._client = pymilvus.MilvusClient(
                uri=settings.milvus_url, token=token.get_secret_value() if token else ""
            )
            self._create(pymilvus, settings)
        except (pymilvus.MilvusException, OSError) as error:
            msg = (
                f"index.milvus_url must be a Milvus server's URL or a file for Milvus Lite; "
                f"got {settings.milvus_url!r}: {error}; start the server, or name another"
            )
            raise EnvironmentProblem(msg) from error

    def upsert(self, keys: IntArray, vectors: Float32Array) -> None:
        """See `Backend.upsert`. Many in one call are much cheaper."""
        keys, rows = last_of_each(keys, prepared(vectors, len(keys), self._dim, self._metric))
        self.delete(keys)
        labels = self._labels.assign(keys).tolist()
        entities = [{_LABEL: label, _VECTOR: row} for label, row in zip(labels, rows, strict=True)]
        for start in range(0, len(entities), _ROWS_PER_CALL):
            self._client.insert(self._name, entities[start : start + _ROWS_PER_CALL])

    def delete(self, keys: IntArray) -> None:
        """See `Backend.delete`."""
        labels = self._labels.drop(keys.tolist())
        for start in range(0, len(labels), _ROWS_PER_CALL):
            self._client.delete(self._name, ids=labels[start : start + _ROWS_PER_CALL])

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """See `Backend.search`. Raises ValueError for more than 16,384 items, Milvus' limit."""
        return self.search_many(query[np.newaxis], k)[0]

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """See `Backend.search_many`: one call of Milvus."""
        rows = prepared_queries(queries, k, self._dim, self._metric)
        wanted = min(k, len(self))
        if wanted > _MAX_K:
            msg = f"Milvus finds at most {_MAX_K} items at once; got k = {wanted}; ask for fewer"
            raise ValueError(msg)
        if not wanted or not len(rows):
            return [NOTHING for _ in rows]
        found = self._client.search(
            self._name,
            list(rows),
            limit=wanted,
            search_params={"params": {"ef": max(self.breadth, wanted)}},
            output_fields=[_LABEL],
        )
        return [self._neighbours(hits) for hits in found]

    def save(self, path: Path) -> None:
        """See `Backend.save`. The vectors are fetched from Milvus, so the file is whole."""
        keys, labels = self._labels.items()
        vectors = np.zeros((len(keys), self._dim), dtype="<f4")
        place = {label: at for at, label in enumerate(labels)}
        for start in range(0, len(labels), _ROWS_PER_CALL):
            part = labels[start : start + _ROWS_PER_CALL]
            for row in self._client.get(self._name, ids=part, output_fields=[_LABEL, _VECTOR]):
                vectors[place[row[_LABEL]]] = row[_VECTOR]
        at: IntArray = np.array(keys, dtype=np.intp)
        save_arrays(path, "milvus", self._metric, self._dim, at, [vectors])

    def load(self, path: Path) -> None:
        """See `Backend.load`."""
        keys, arrays, _ = load_arrays(path, "milvus", self._metric, self._dim)
        self.delete(np.array(self._labels.items()[0], dtype=np.intp))
        self.upsert(keys, arrays.take("<f4", (len(keys), self._dim)))

    def close(self) -> None:
        """See `Backend.close`."""
        self._client.drop_collection(self._name)
        self._client.close()

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def dead_share(self) -> float:
        """Always 0: Milvus clears up by itself."""
        return 0.0

    def _create(self, pymilvus: Any, settings: IndexSettings) -> None:
        schema = self._client.create_schema(auto_id=False)
        schema.add_field(_LABEL, pymilvus.DataType.INT64, is_primary=True)
        schema.add_field(_VECTOR, pymilvus.DataType.FLOAT_VECTOR, dim=self._dim)
        index = self._client.prepare_index_params()
        index.add_index(
            _VECTOR,
            index_type="HNSW",
            metric_type="L2" if self._metric == "l2" else "IP",  # cosine: at length 1
            params={"M": settings.m, "efConstruction": settings.ef_construction},
        )
        # Strong: a search sees every write before it.
        self._client.create_collection(
            self._name, schema=schema, index_params=index, consistency_level="Strong"
        )

    def _neighbours(self, hits: Any) -> Neighbours:
        """Of one query's hits, by falling score."""
        sign = -1.0 if self._metric == "l2" else 1.0
        labels = np.array([hit[_LABEL] for hit in hits], dtype=np.int64)
        scores = np.array([sign * hit["distance"] for hit in hits], dtype=np.float32)
        keys = self._labels.keys_of(labels)
        return Neighbours(keys[keys >= 0], scores[keys >= 0])


def _load_pymilvus() -> Any:
    try:
        import pymilvus
    except ImportError as error:
        msg = f"the backend milvus needs pymilvus: {error}; pip install '.[milvus]'"
        raise EnvironmentProblem(msg) from error
    return pymilvus

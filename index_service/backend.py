"""What proposes an item's neighbours: one small interface over exact and approximate search."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray
from schemas.errors import DecodeError
from schemas.vectors import Float32Array, unpack_vector

Metric = Literal["cosine", "ip", "l2"]

_UNIT_SQUARE = 1e-5
"""So far may the square of a length be from 1 by the rounding of float32."""


class Neighbours(NamedTuple):
    """What is near a query, by falling score."""

    keys: IntArray
    scores: Float32Array
    """(len(keys),): cosines, inner products, or squared distances with a minus in front."""


NOTHING = Neighbours(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32))


class Backend(Protocol):
    """Vectors by key, searched by one metric.

    Keys are numbers from 0 on, with few gaps, as arrays may be kept by them.

    One thread at a time writes or saves; any number search meanwhile. A search that runs beside a
    write finds each vector as it was before or after it, or, while it is being replaced, not.
    """

    breadth: int
    """How widely to search, in the backend's own unit: more finds more and takes longer. May be
    set while others search; an exact backend does not look at it."""

    def upsert(self, keys: IntArray, vectors: Float32Array) -> None:
        """Put or replace `vectors` (len(keys), dim); of a key that comes twice the last one counts.

        Raises ValueError, and changes nothing, when the shape is wrong, a number is not finite, or
        a vector is zero and the metric cosine.
        """

    def delete(self, keys: IntArray) -> None:
        """Take these out; keys that are not in are no error."""

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """The min(k, len) vectors nearest to `query` (dim,): exactly, or as well as it can.

        Raises ValueError when k < 1, the shape is wrong or a number is not finite.
        """

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """`search` for each of `queries` (queries, dim), at once where that is cheaper."""

    def save(self, path: Path) -> None:
        """Write all to one file, replaced in one step. Raises SnapshotError."""

    def load(self, path: Path) -> None:
        """Hold what was saved, and nothing else. `breadth` stays.

        Raises SnapshotError when the file is damaged or of another backend, metric or dimension.
        """

    def close(self) -> None:
        """Let go of what it holds outside this process."""

    def __len__(self) -> int:
        """Vectors that can be found."""

    @property
    def dead_share(self) -> float:
        """Share of entries that updates and deletes left behind, 0 to 1."""


def last_of_each(keys: IntArray, rows: Float32Array) -> tuple[IntArray, Float32Array]:
    """Distinct keys, going up, and of the rows (len(keys), dim) the last one of each."""
    distinct, at = np.unique(keys[::-1], return_index=True)
    return distinct, rows[len(keys) - 1 - at]


def prepared(vectors: Float32Array, count: int, dim: int, metric: Metric) -> Float32Array:
    """`vectors` (count, dim) as they are compared: at length 1 for cosines. Raises ValueError."""
    check_vectors(vectors, count, dim)
    if metric != "cosine":
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # (count, 1)
    if not lengths.all():
        row = int(np.flatnonzero(lengths[:, 0] == 0)[0])
        msg = f"a cosine needs a direction; row {row} is zero; leave it out"
        raise ValueError(msg)
    return np.asarray(vectors / lengths, dtype=np.float32)


def prepared_queries(queries: Float32Array, k: int, dim: int, metric: Metric) -> Float32Array:
    """`queries` (queries, dim) as they are compared; a zero one stays. Raises ValueError."""
    if queries.ndim != 2:
        msg = f"queries must be of shape (queries, {dim}); got {queries.shape}"
        raise ValueError(msg)
    if k < 1 or queries.shape[1] != dim or not np.isfinite(queries).all():
        for query in queries:
            check_query(query, k, dim)  # says what is wrong
    if metric != "cosine":
        return queries
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)  # (queries, 1)
    return np.asarray(queries / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def scores_of(vectors: Float32Array, query: Float32Array, metric: Metric) -> Float32Array:
    """(rows,): the score of each row of prepared `vectors` (rows, dim) to `query` (dim,)."""
    if metric != "l2":
        return np.asarray(vectors @ query)
    return -np.asarray(((vectors - query) ** 2).sum(axis=1), dtype=np.float32)


def check_vectors(vectors: Float32Array, count: int, dim: int) -> None:
    """Raises ValueError unless `vectors` is (count, dim) and all its numbers are finite."""
    if vectors.shape != (count, dim):
        msg = f"vectors must be of shape {(count, dim)}; got {vectors.shape}; check towers.dim"
        raise ValueError(msg)
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        msg = f"vectors must be finite; row {row} holds NaN or infinity; leave it out"
        raise ValueError(msg)


def check_query(query: Float32Array, k: int, dim: int) -> None:
    """Raises ValueError unless `query` is (dim,) and finite, and k at least 1."""
    if k < 1:
        msg = f"k must be at least 1; got {k}; ask for one item or more"
        raise ValueError(msg)
    if query.shape != (dim,):
        msg = f"a query must be of shape {(dim,)}; got {query.shape}; check towers.dim"
        raise ValueError(msg)
    if not np.isfinite(query).all():
        msg = "a query must be finite; it holds NaN or infinity; check where it comes from"
        raise ValueError(msg)


def unit(values: npt.ArrayLike) -> Float32Array | None:
    """`values` (dim,) at length 1; None when their length is 0 or not finite.

    Scaled by the largest number first, so that 1e300 neither overflows nor 1e-300 vanishes.
    """
    raw = np.asarray(values, dtype=np.float64)
    largest = np.abs(raw).max(initial=0.0)
    if not np.isfinite(largest) or largest == 0.0:
        return None
    scaled = raw / largest
    return np.asarray(scaled / np.linalg.norm(scaled), dtype=np.float32)


def unit_vector(data: bytes, dim: int) -> Float32Array:
    """The vector of a record, at length 1; one that is but for rounding stays as it is.

    Raises DecodeError when it is none of `dim` numbers.
    """
    if len(data) != 4 * dim:
        msg = f"a vector must have {4 * dim} bytes ({dim} float32); got {len(data)}; see towers.dim"
        raise DecodeError(msg)
    given = unpack_vector(data)
    if abs(float(given @ given) - 1.0) < _UNIT_SQUARE:  # false for what is not finite
        return given
    vector = unit(given)
    if vector is None:
        msg = "a vector must be finite and not zero; this one is not; publish the item again"
        raise DecodeError(msg)
    return vector

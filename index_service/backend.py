"""What proposes an item's neighbours: one small interface over exact and approximate search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from schemas.errors import DecodeError
from schemas.vectors import Float32Array, unpack_vector


class Neighbours(NamedTuple):
    """Items by falling cosine to a query."""

    ids: list[str]
    cosines: Float32Array
    """(len(ids),)"""


class Backend(Protocol):
    """Vectors of unit length by item id, searched by cosine. Used from one thread at a time."""

    def upsert(self, ids: Sequence[str], vectors: Float32Array) -> None:
        """Put or replace `vectors` (len(ids), dim); of an id that comes twice the last one counts.

        Raises ValueError, and changes nothing, when the shape is wrong or a number is not finite.
        """

    def delete(self, ids: Sequence[str]) -> None:
        """Take these out; ids that are not in are no error."""

    def search(self, query: Float32Array, k: int) -> Neighbours:
        """The min(k, len) items nearest to `query` (dim,): exactly, or as well as it can.

        Raises ValueError when k < 1, the shape is wrong or a number is not finite.
        """

    def __len__(self) -> int:
        """Items that can be found."""

    @property
    def dead_share(self) -> float:
        """Share of entries that updates and deletes left behind, 0 to 1."""


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
    """The vector of a record, at length 1. Raises DecodeError when it is none of `dim` numbers."""
    if len(data) != 4 * dim:
        msg = f"a vector must have {4 * dim} bytes ({dim} float32); got {len(data)}; see towers.dim"
        raise DecodeError(msg)
    vector = unit(unpack_vector(data))
    if vector is None:
        msg = "a vector must be finite and not zero; this one is not; publish the item again"
        raise DecodeError(msg)
    return vector

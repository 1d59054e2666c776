"""A backend on disk: keys, and the arrays that the backend makes of itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from index_service.backend import Metric
from index_service.block_file import Array, ArrayReader, read_blocks, unusable, write_blocks
from index_service.slots import IntArray
from schemas.codec import Decoder, encode
from schemas.errors import DecodeError

_MAGIC = b"penstock-backend-2\n"


class _Header(msgspec.Struct, frozen=True):
    backend: str
    metric: str
    dim: int
    count: int
    numbers: dict[str, int]


_decoder: Decoder[_Header] = Decoder(_Header)


def save_arrays(
    path: Path,
    backend: str,
    metric: Metric,
    dim: int,
    keys: IntArray,
    arrays: Iterable[Array],
    **numbers: int,
) -> None:
    """Replace the file in one step. Raises SnapshotError, leaving the old one, when it can't."""
    header = _Header(backend, metric, dim, len(keys), numbers)
    write_blocks(path, _MAGIC, encode(header), [keys.astype("<i8"), *arrays])


def load_arrays(
    path: Path, backend: str, metric: Metric, dim: int
) -> tuple[IntArray, ArrayReader, dict[str, int]]:
    """Keys, and what else was saved.

    Raises SnapshotError when the file is damaged, missing, or another's.
    """
    try:
        head, data = read_blocks(path, _MAGIC)
        header = _decoder.decode(head)
    except FileNotFoundError as error:
        raise unusable(path, "exist") from error
    except DecodeError as error:
        raise unusable(path, f"have a readable header: {error}") from error
    found, wanted = (header.backend, header.metric, header.dim), (backend, metric, dim)
    if found != wanted:
        raise unusable(path, f"be of backend, metric and dim {wanted}; it is of {found}")
    reader = ArrayReader(data)
    keys = reader.take("<i8", (header.count,)).astype(np.intp)
    return keys, reader, header.numbers

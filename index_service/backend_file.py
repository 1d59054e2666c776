"""A backend on disk: item ids, and the arrays that the backend makes of itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from index_service.backend import Metric
from index_service.block_file import Array, ArrayReader, read_blocks, unusable, write_blocks
from schemas.codec import Decoder, encode
from schemas.errors import DecodeError

_MAGIC = b"penstock-backend-1\n"


class _Header(msgspec.Struct, frozen=True):
    backend: str
    metric: str
    dim: int
    ids: list[str]
    numbers: dict[str, int]


_decoder: Decoder[_Header] = Decoder(_Header)


def save_arrays(
    path: Path,
    backend: str,
    metric: Metric,
    dim: int,
    ids: list[str],
    arrays: Iterable[Array],
    **numbers: int,
) -> None:
    """Replace the file in one step. Raises SnapshotError, leaving the old one, when it can't."""
    header = _Header(backend, metric, dim, ids, numbers)
    write_blocks(path, _MAGIC, encode(header), arrays)


def load_arrays(
    path: Path, backend: str, metric: Metric, dim: int
) -> tuple[list[str], ArrayReader, dict[str, int]]:
    """What was saved. Raises SnapshotError when the file is damaged, missing, or another's."""
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
    return header.ids, ArrayReader(data), header.numbers

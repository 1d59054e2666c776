"""A file of a header and arrays that is whole or not there.

It holds a magic line that names kind and version, the header (MessagePack, its length in front),
the arrays one after another, and a digest of all that. It is written beside its place, synced and
renamed, so a crash leaves the one before. Nothing in it is code.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from schemas.errors import SnapshotError

Array = npt.NDArray[Any]

_LENGTH_BYTES = 8
_DIGEST_BYTES = 16


def write_blocks(path: Path, magic: bytes, header: bytes, arrays: Iterable[Array]) -> None:
    """Replace the file in one step. Raises SnapshotError, leaving the old one, when it can't."""
    unfinished = path.with_name(path.name + ".tmp")
    digest = xxhash.xxh3_128()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            for block in _blocks(magic, header, arrays):
                digest.update(block)
                file.write(block)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        msg = (
            f"a snapshot must be written: {error}; make room in {path.parent}, or let this user "
            "write there"
        )
        raise SnapshotError(msg) from error


def read_blocks(path: Path, magic: bytes) -> tuple[bytes, memoryview]:
    """The header, and the bytes of the arrays.

    Raises FileNotFoundError, or SnapshotError when the file can't be read, is damaged, or is of
    another kind or version.
    """
    try:
        data = memoryview(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unusable(path, f"be readable: {error}") from error
    if data[: len(magic)] != magic:
        shown = bytes(data[: len(magic)])
        raise unusable(path, f"begin with {magic!r}; it begins with {shown!r}")
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if xxhash.xxh3_128_digest(body) != digest:
        raise unusable(path, f"match its checksum; its {len(data)} bytes don't")
    start = len(magic) + _LENGTH_BYTES
    end = start + int.from_bytes(body[len(magic) : start], "little")
    return bytes(body[start:end]), body[end:]


def unusable(path: Path, rule: str) -> SnapshotError:
    """The error of a file that breaks a rule."""
    msg = f"the snapshot {path} must {rule}; the topic is read from its beginning"
    return SnapshotError(msg)


class ArrayReader:
    """Takes arrays off the bytes of a file, in the order in which they were written."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._place = 0

    def take(self, form: str, shape: tuple[int, ...]) -> Array:
        """The next array, read-only."""
        count = int(np.prod(shape))
        taken = np.frombuffer(self._data, dtype=form, count=count, offset=self._place)
        self._place += taken.nbytes
        return taken.reshape(shape)

    def rest(self) -> npt.NDArray[np.uint8]:
        """All bytes that are left."""
        return np.frombuffer(self._data, dtype=np.uint8, offset=self._place)


def _blocks(magic: bytes, header: bytes, arrays: Iterable[Array]) -> Iterator[bytes | memoryview]:
    yield magic
    yield len(header).to_bytes(_LENGTH_BYTES, "little")
    yield header
    for array in arrays:
        if array.size:
            yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)  # the rename itself
    finally:
        os.close(opened)

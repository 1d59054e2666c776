"""A file of item vectors: npz without pickle, with a checksum over all that is in it."""

from __future__ import annotations

import io
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import xxhash

from schemas.errors import DatasetError
from towers.arrays import Floats

_FORMAT = 1
_ARRAYS = {"ids": np.uint8, "ends": np.int64, "vectors": np.float32, "counts": np.float32}
"""Ids as UTF-8 end to end, and where each ends; (items, dim); (items,)."""


class Header(msgspec.Struct, frozen=True):
    """The JSON in the array `header`."""

    format: int
    method: str
    items: int
    dim: int
    checksum: str
    """XXH3-128 over the bytes of the other arrays, in the order ids, ends, vectors, counts."""


class VectorFile(NamedTuple):
    """What a file holds."""

    method: str
    item_ids: list[str]
    vectors: Floats
    """(items, dim), as learned: of any length."""
    counts: Floats
    """(items,): visits behind each; 0 for one that was learned from its features alone."""


def write_vectors(path: Path, content: VectorFile) -> None:
    """Write the file, whole or not at all. Raises DatasetError when it can't be written."""
    encoded = [item_id.encode() for item_id in content.item_ids]
    arrays = {
        "ids": np.frombuffer(b"".join(encoded), np.uint8),
        "ends": np.cumsum([len(one) for one in encoded], dtype="<i8"),
        "vectors": np.ascontiguousarray(content.vectors, "<f4"),
        "counts": np.ascontiguousarray(content.counts, "<f4"),
    }
    items, dim = content.vectors.shape
    header = Header(_FORMAT, content.method, items, dim, _checksum(arrays))
    arrays["header"] = np.frombuffer(msgspec.json.encode(header), np.uint8)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(path)
    except OSError as error:
        msg = f"vectors are written to a folder that is there; got {path} ({error}); make it"
        raise DatasetError(msg) from error
    finally:
        part.unlink(missing_ok=True)


def read_vectors(path: Path) -> VectorFile:
    """The content, checked. Raises DatasetError for a file that is missing, cut or changed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"vectors are read from a file of `penstock pretrain`; {path}: {error.strerror}"
        raise DatasetError(msg) from error
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            header = msgspec.json.decode(arrays["header"].tobytes(), type=Header)
            found = {name: arrays[name] for name in _ARRAYS}
        ids, ends = found["ids"].tobytes(), [0, *found["ends"].tolist()]
        item_ids = [ids[a:b].decode() for a, b in pairwise(ends)]
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, msgspec.MsgspecError) as e:
        msg = f"vectors are a file of `penstock pretrain`; {path} is none ({e}); write it anew"
        raise DatasetError(msg) from e
    problem = _problem(header, found, item_ids)
    if problem:
        msg = f"a file of vectors is whole and unchanged; {path}: {problem}; write it anew"
        raise DatasetError(msg)
    return VectorFile(header.method, item_ids, found["vectors"], found["counts"])


def _problem(header: Header, found: dict[str, np.ndarray], item_ids: list[str]) -> str:
    """What is wrong, or nothing."""
    if header.format != _FORMAT:
        return f"format {header.format}, this version reads {_FORMAT}"
    for name, kind in _ARRAYS.items():
        if found[name].dtype != kind:
            return f"{name} is of {found[name].dtype}"
    if _checksum(found) != header.checksum:
        return "its checksum differs"
    shape = (header.items, header.dim)
    if found["vectors"].shape != shape or found["counts"].shape != shape[:1]:
        return f"vectors of {found['vectors'].shape}, {shape} said"
    if len(set(item_ids)) != header.items:
        return f"{len(set(item_ids))} distinct ids, {header.items} said"
    return "" if np.isfinite(found["vectors"]).all() else "a vector is not finite"


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    hashed = xxhash.xxh3_128()
    for name in _ARRAYS:
        hashed.update(np.ascontiguousarray(arrays[name]).tobytes())
    return hashed.hexdigest()

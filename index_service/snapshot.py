"""A shard on disk: its items, and the offset from which to read on.

A file is a magic line with the format's version, a header (MessagePack, its length in front), the
arrays one after another, and a digest of all that. It is written beside its place, synced and
renamed, so a crash leaves the one before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from index_service.item_table import ShardState
from schemas.codec import Decoder, encode
from schemas.errors import DecodeError, SnapshotError
from schemas.events import FeatureValue

_MAGIC = b"penstock-shard-1\n"
_LENGTH_BYTES = 8
_DIGEST_BYTES = 16


class _Header(msgspec.Struct, frozen=True):
    source: str
    offset: int
    epoch: int
    dim: int
    trend_clock: float
    step: int
    count_names: list[str]
    ids: list[str]
    attributes: list[dict[str, FeatureValue]]


_decoder: Decoder[_Header] = Decoder(_Header)


@dataclass(frozen=True)
class Snapshot:
    """A shard as it was after every record below `offset`."""

    source: str
    """Names the log that the offset belongs to: topic and partition."""
    offset: int
    """The first record that the items don't reflect."""
    epoch: int
    state: ShardState


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace the file in one step. Raises SnapshotError, leaving the old one, when it can't."""
    unfinished = path.with_name(path.name + ".tmp")
    digest = xxhash.xxh3_128()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            for block in _blocks(snapshot):
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


def read_snapshot(path: Path, *, source: str, epoch: int, dim: int) -> Snapshot | None:
    """The snapshot, or None where there is no file.

    Raises SnapshotError when it can't be read, is damaged, or is of another format, log, epoch or
    dimension: then the log is to be read from its beginning.
    """
    try:
        data = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, f"be readable: {error}") from error
    if data[: len(_MAGIC)] != _MAGIC:
        shown = bytes(data[: len(_MAGIC)])
        raise _unusable(path, f"begin with {_MAGIC!r}; it begins with {shown!r}")
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if xxhash.xxh3_128_digest(body) != digest:
        raise _unusable(path, f"match its checksum; its {len(data)} bytes don't")
    start = len(_MAGIC) + _LENGTH_BYTES
    length = int.from_bytes(body[len(_MAGIC) : start], "little")
    try:
        header = _decoder.decode(bytes(body[start : start + length]))
    except DecodeError as error:
        raise _unusable(path, f"have a readable header: {error}") from error
    for name, found, wanted in [
        ("source", header.source, source),
        ("towers.epoch", header.epoch, epoch),
        ("towers.dim", header.dim, dim),
    ]:
        if found != wanted:
            raise _unusable(path, f"be of {name} = {wanted}; it is of {found}")
    return Snapshot(source, header.offset, epoch, _state(header, body[start + length :]))


def _blocks(snapshot: Snapshot) -> Iterator[bytes | memoryview]:
    state = snapshot.state
    header = encode(
        _Header(
            source=snapshot.source,
            offset=snapshot.offset,
            epoch=snapshot.epoch,
            dim=state.vectors.shape[1],
            trend_clock=state.trend_clock,
            step=state.step,
            count_names=list(state.counts),
            ids=state.ids,
            attributes=[dict(each) for each in state.attributes],
        )
    )
    yield _MAGIC
    yield len(header).to_bytes(_LENGTH_BYTES, "little")
    yield header
    for array, form in [
        (state.vectors, "<f4"),
        (state.clocks, "<f8"),
        *((counts, "<f8") for counts in state.counts.values()),
        (state.available, "?"),
    ]:
        yield np.ascontiguousarray(array, dtype=form).reshape(-1).view(np.uint8).data


def _state(header: _Header, arrays: memoryview) -> ShardState:
    items, place = len(header.ids), 0

    def take(form: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        nonlocal place
        count = int(np.prod(shape))
        taken = np.frombuffer(arrays, dtype=form, count=count, offset=place).reshape(shape)
        place += taken.nbytes
        return taken

    return ShardState(
        ids=header.ids,
        vectors=take("<f4", (items, header.dim)),
        clocks=take("<f8", (items,)),
        counts={name: take("<f8", (items,)) for name in header.count_names},
        available=take("?", (items,)),
        attributes=[*header.attributes],
        trend_clock=header.trend_clock,
        step=header.step,
    )


def _unusable(path: Path, rule: str) -> SnapshotError:
    msg = f"the snapshot {path} must {rule}; the topic is read from its beginning"
    return SnapshotError(msg)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)  # the rename itself
    finally:
        os.close(opened)

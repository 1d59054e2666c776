"""A shard on disk: its items, and the offset from which to read on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from index_service.block_file import ArrayReader, read_blocks, unusable, write_blocks
from index_service.item_table import ShardState
from schemas.codec import Decoder, encode
from schemas.errors import DecodeError
from schemas.events import FeatureValue

_MAGIC = b"penstock-shard-1\n"


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
    state = snapshot.state
    header = _Header(
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
    arrays = [
        state.vectors.astype("<f4", copy=False),
        state.clocks.astype("<f8", copy=False),
        *(counts.astype("<f8", copy=False) for counts in state.counts.values()),
        state.available,
    ]
    write_blocks(path, _MAGIC, encode(header), arrays)


def read_snapshot(path: Path, *, source: str, epoch: int, dim: int) -> Snapshot | None:
    """The snapshot, or None where there is no file.

    Raises SnapshotError when it can't be read, is damaged, or is of another format, log, epoch or
    dimension: then the log is to be read from its beginning.
    """
    try:
        head, data = read_blocks(path, _MAGIC)
    except FileNotFoundError:
        return None
    try:
        header = _decoder.decode(head)
    except DecodeError as error:
        raise unusable(path, f"have a readable header: {error}") from error
    for name, found, wanted in [
        ("source", header.source, source),
        ("towers.epoch", header.epoch, epoch),
        ("towers.dim", header.dim, dim),
    ]:
        if found != wanted:
            raise unusable(path, f"be of {name} = {wanted}; it is of {found}")
    items, arrays = len(header.ids), ArrayReader(data)
    state = ShardState(
        ids=header.ids,
        vectors=arrays.take("<f4", (items, header.dim)),
        clocks=arrays.take("<f8", (items,)),
        counts={name: arrays.take("<f8", (items,)) for name in header.count_names},
        available=arrays.take("?", (items,)),
        attributes=[*header.attributes],
        trend_clock=header.trend_clock,
        step=header.step,
    )
    return Snapshot(source, header.offset, epoch, state)

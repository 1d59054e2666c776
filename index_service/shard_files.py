"""Shards on this node's disk, so that a restart reads only what came since."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path

from index_service.figures import NodeFigures
from index_service.node_index import NodeIndex
from index_service.snapshot import Snapshot, read_snapshot, write_snapshot
from schemas.errors import SnapshotError
from schemas.settings import Settings

_log = logging.getLogger(__name__)


class ShardFiles:
    """A file for each shard below `index.snapshot_dir`; one that can't be used is passed over."""

    def __init__(
        self,
        settings: Settings,
        source: str,
        index: NodeIndex,
        executor: Executor,
        figures: NodeFigures,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`source` names the topic, and is another when the topic is made anew."""
        self._settings = settings
        self._source = source
        self._index = index
        self._executor = executor
        self._figures = figures
        folder = settings.index.snapshot_dir or settings.embedded.data_dir / "index"
        self._folder = folder / settings.namespace / settings.index.replica
        self._saved: dict[int, int] = {}
        self._monotonic_s = monotonic_s
        self._next_s = monotonic_s() + settings.index.snapshot_every_s
        self._due: list[int] = []  # partitions still to be looked at in this round
        self._writing: Future[None] | None = None

    async def restore(self, partition: int, end: int) -> int:
        """Load a shard that is held from its file, if there is one; the offset to read on from.

        A file from beyond the topic's `end` is of a log that has lost its tail: it is not used.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._restore, partition, end)

    def save_some(self, offsets: Mapping[int, int]) -> None:
        """Begin to write the next shard that is due; `offsets` are those to be read next.

        Each loaded shard that has changed is written once every `index.snapshot_every_s`.
        """
        if self._writing and not self._writing.done():
            return
        if not self._due:
            if self._monotonic_s() < self._next_s:
                return
            self._next_s = self._monotonic_s() + self._settings.index.snapshot_every_s
            self._due = list(offsets)
        while self._due:
            partition = self._due.pop(0)
            offset = offsets.get(partition)
            if partition in self._index.ready and offset not in (None, self._saved.get(partition)):
                self._saved[partition] = offset
                self._writing = self._executor.submit(self._write, partition, offset)
                return

    def _restore(self, partition: int, end: int) -> int:
        towers, source = self._settings.towers, self._source_of(partition)
        path = self._path(partition)
        try:
            snapshot = read_snapshot(path, source=source, epoch=towers.epoch, dim=towers.dim)
        except SnapshotError as error:
            _log.warning("event=snapshot_unusable shard=%d error=%r", partition, str(error))
            return 0
        if snapshot is None:
            return 0
        if snapshot.offset > end:
            text = "event=snapshot_unusable shard=%d offset=%d end=%d"
            _log.warning(text, partition, snapshot.offset, end)
            return 0
        self._index.items.restore(snapshot.state, partition)
        self._saved[partition] = snapshot.offset
        self._figures.counts["shards_restored"] += 1
        text = "event=shard_restored shard=%d items=%d offset=%d"
        _log.info(text, partition, len(snapshot.state.ids), snapshot.offset)
        return snapshot.offset

    def _write(self, partition: int, offset: int) -> None:
        # The items may be newer than the offset: what is read again from there ends the same.
        state = self._index.items.copied(partition)
        if partition not in self._index.ready:  # given up meanwhile: there may be no more of them
            self._saved.pop(partition, None)
            return
        snapshot = Snapshot(self._source_of(partition), offset, self._settings.towers.epoch, state)
        try:
            write_snapshot(self._path(partition), snapshot)
        except SnapshotError as error:
            self._figures.counts["snapshots_failed"] += 1
            _log.warning("event=snapshot_unwritten shard=%d error=%r", partition, str(error))
        else:
            self._figures.counts["snapshots"] += 1

    def _path(self, partition: int) -> Path:
        return self._folder / f"{partition}.shard"

    def _source_of(self, partition: int) -> str:
        return f"{self._source}/{partition}"

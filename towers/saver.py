"""Writes checkpoints beside the work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from schemas.errors import CheckpointError
from towers.arrays import State
from towers.checkpoint import CheckpointStore

log = logging.getLogger(__name__)


class CheckpointSaver:
    """One checkpoint at a time, in a thread of its own, so that a click never waits for a disk."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[Path] | None = None
        self._saved: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """True while a checkpoint is being written or not yet settled."""
        return self._writing is not None

    def start(self, state: State, saved: Callable[[], None]) -> None:
        """Begin to write; `saved` is called by `settle` once the checkpoint is on the disk."""
        self._saved = saved
        self._writing = self._pool.submit(self._store.save, state)

    def settle(self, wait: bool = False) -> None:
        """Finish what belongs to a written checkpoint, if there is one; an error is logged."""
        if self._writing is None or not (wait or self._writing.done()):
            return
        writing, self._writing = self._writing, None
        try:
            path = writing.result()
        except CheckpointError as error:
            log.error("checkpoint=failed error=%r action=next_time", str(error))
            return
        log.debug("checkpoint=written path=%s", path)
        self._saved()

    def close(self) -> None:
        """Wait for the last one."""
        self.settle(wait=True)
        self._pool.shutdown()

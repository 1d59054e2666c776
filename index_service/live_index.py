"""A backend kept up with the items by jobs in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from itertools import islice
from typing import NamedTuple

import numpy as np

from index_service.backend import NOTHING, Backend, Neighbours
from index_service.gate import Gate
from index_service.slots import IntArray
from schemas.vectors import Float32Array

_CHUNK_ITEMS = 256
"""Written in one call: some 50 ms on hnswlib, 1 ms on Faiss."""
Changes = dict[int, Float32Array | None]
"""By slot, the vector there, or None where there is none any more."""


class Source(NamedTuple):
    """Where a build finds its items: the rows may change, as each change is noted."""

    slots: IntArray
    vectors: Float32Array
    """(used, dim)"""


class LiveIndex:
    """Proposes near items, by slot; what it has not written yet, it names, for its caller to
    compare. A slot may be another item's by now, so the caller looks at the vector that is there.

    The caller's lock guards `note`, `build`, `drop` and `unwritten`, which its callers hold; jobs
    take it for moments. A new backend is built beside the one that serves, catches up with what
    changed meanwhile, and takes its place at once.
    """

    def __init__(
        self,
        make: Callable[[], Backend],
        executor: Executor,
        lock: threading.Lock,
        max_unwritten: int,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._make = make
        self._executor = executor
        self.lock = lock
        self._max_unwritten = max_unwritten
        self._backend: Backend | None = None
        self._gate = Gate()  # a backend is not closed while one searches it
        self._pending: Changes = {}
        self._writing: Changes = {}
        self._writer = threading.Lock()
        self._write_job: Future[None] | None = None
        self._build_job: Future[None] | None = None
        self._building: Source | None = None
        self._since: Changes = {}  # what changed since that was made
        self._closed = threading.Event()
        self._failure: BaseException | None = None
        self._catching_up = False  # a build holds all but what changed meanwhile
        self._source: Source | None = None
        self._monotonic_s = monotonic_s
        self._started_s = 0.0
        self.builds = 0
        """Backends that took their place."""
        self.build_s = 0.0
        """Seconds that the last of them took."""

    @property
    def backend(self) -> Backend | None:
        """What serves now."""
        return self._backend

    @property
    def building(self) -> bool:
        """A new backend is on its way."""
        return self._building is not None

    @property
    def behind(self) -> bool:
        """So much is to be written that the caller should hold changes back: to the backend that
        serves, or to one that is built and would else never catch up.
        """
        return len(self._pending) + len(self._writing) > self._max_unwritten or (
            self._catching_up and len(self._since) > self._max_unwritten // 2
        )

    def note(self, slot: int, vector: Float32Array | None) -> None:
        """The slot has `vector` (dim,), which nobody changes, or no item any more."""
        if self._building is not None:
            self._since[slot] = vector
        if self._backend is not None:
            self._pending[slot] = vector

    def unwritten(self) -> list[int]:
        """Slots whose newest vector a search may not find."""
        return [*self._pending, *self._writing]

    def build(self, source: Source) -> None:
        """Build anew, once `wake` is called."""
        self._source = self._building = source
        self._since, self._catching_up = {}, False
        self._started_s = self._monotonic_s()

    def wake(self) -> None:
        """Start the jobs that are due; the lock is not held."""
        if self._pending and (self._write_job is None or self._write_job.done()):
            self._note_failure(self._write_job)
            self._write_job = self._executor.submit(self._write_all)
        source, self._source = self._source, None
        if source is not None:
            self._build_job = self._executor.submit(self._build, source)

    def raise_failure(self) -> None:
        """Raise what a job raised since this was asked last. Nothing is lost by it: what was to be
        written still is, and a build can be started again.
        """
        for job in (self._write_job, self._build_job):
            if job is not None and job.done():
                self._note_failure(job)
        failure, self._failure = self._failure, None
        if failure is not None:
            self._write_job = self._build_job = None
            raise failure

    def _note_failure(self, job: Future[None] | None) -> None:
        if job is not None and not job.cancelled():
            self._failure = job.exception() or self._failure

    def search_many(self, queries: Float32Array, k: int) -> list[Neighbours]:
        """Near items of `queries` (queries, dim); the lock is not held."""
        with self._gate.reading():
            backend = self._backend
            if backend is None:
                return [NOTHING for _ in queries]
            return backend.search_many(queries, k)

    def drop(self) -> Backend | None:
        """Serve nothing more, and build nothing; the backend, for the caller to `release`."""
        backend, self._backend = self._backend, None
        self._pending, self._since = {}, {}
        self._source = self._building = None
        return backend

    def release(self, backend: Backend | None) -> None:
        """Close it once nobody searches it; the lock is not held."""
        if backend is not None:
            with self._writer, self._gate.alone():
                backend.close()

    def close(self) -> None:
        """End the jobs soon, and let go of the backend; the lock is not held."""
        self._closed.set()
        for job in (self._write_job, self._build_job):
            if job is not None:
                job.cancel()
        with self.lock:
            backend = self.drop()
        self.release(backend)

    def _write_all(self) -> None:
        while self._pending and not self._closed.is_set():
            with self._writer:
                self._write_some()

    def _write_some(self) -> None:
        """One chunk, by the one thread that has `_writer`."""
        with self.lock:
            backend = self._backend
            if backend is None:
                return
            taken = [*islice(self._pending, _CHUNK_ITEMS)]
            self._writing = {slot: self._pending.pop(slot) for slot in taken}
        try:
            _write(backend, self._writing)
        except BaseException:
            with self.lock:
                if self._backend is backend:  # another one has them from its build
                    self._pending = self._writing | self._pending
            raise
        finally:
            with self.lock:
                self._writing = {}

    def _build(self, source: Source) -> None:
        with ExitStack() as failing:
            failing.callback(self._end_build, source)
            backend = self._make()
            failing.callback(backend.close)
            for start in range(0, len(source.slots), _CHUNK_ITEMS):
                chunk = source.slots[start : start + _CHUNK_ITEMS]
                backend.upsert(chunk, source.vectors[chunk])
                if not self._go_on(source):
                    return
            self._catching_up = True
            while not self._swap(source, backend):
                with self.lock:
                    if self._building is not source:  # dropped: what is noted is another's
                        return
                    changes, self._since = self._since, {}
                items = [*changes.items()]
                for start in range(0, len(items), _CHUNK_ITEMS):
                    _write(backend, dict(items[start : start + _CHUNK_ITEMS]))
                    if not self._go_on(source):
                        return
            failing.pop_all()

    def _end_build(self, source: Source) -> None:
        with self.lock:
            if self._building is source:
                self._building, self._since = None, {}

    def _go_on(self, source: Source) -> bool:
        """Between two chunks of a build: writes go first where they share its thread."""
        if self._pending and self._writer.acquire(blocking=False):
            try:
                self._write_some()
            finally:
                self._writer.release()
        return not self._closed.is_set() and self._building is source

    def _swap(self, source: Source, built: Backend) -> bool:
        """Serve from the new backend, once as little is left to write to it as may wait anyway.

        More than what holds the caller back (`behind`): who writes whenever he may would else have
        written too much again each time that the rest is caught up with.
        """
        with self.lock:
            if self._building is not source or len(self._since) > self._max_unwritten:
                return False
            old, self._backend = self._backend, built
            if old is not None:
                built.breadth = old.breadth
            self._pending, self._since = self._since, {}
            self._building = None
            self.builds += 1
            self.build_s = self._monotonic_s() - self._started_s
        self.release(old)
        return True


def _write(backend: Backend, changes: Changes) -> None:
    gone = [slot for slot, vector in changes.items() if vector is None]
    backend.delete(np.array(gone, dtype=np.intp))
    kept = {slot: vector for slot, vector in changes.items() if vector is not None}
    if kept:
        backend.upsert(np.array([*kept], dtype=np.intp), np.stack([*kept.values()]))

"""Who takes part in `index`: shards with their backends, and bare engines."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import hnswlib
import numpy as np

from index_service.backend import Backend
from index_service.backends import make_backend
from index_service.item_index import ItemIndex
from index_service.query import Query
from index_service.slots import IntArray
from schemas.settings import BackendName, IndexSettings, Settings, TowerSettings
from schemas.vectors import Float32Array, ItemVector, pack_vector
from tests.benchmarks.index_world import DIM, Changes
from tests.benchmarks.nearest_only import NearestOnly
from tests.support.polling import eventually

_TENDED_OPERATIONS = 200
_SETTLE_S = 60.0
_ADJUST_S = 12.0


class Contestant(Protocol):
    """Something that is loaded, changed and searched."""

    def load(self, ids: list[str], vectors: Float32Array) -> None:
        """Hold these, ready to be searched."""

    def apply(self, changes: Changes) -> None:
        """Make the changes; they may still be on their way when this returns."""

    def flush(self) -> None:
        """Wait until every change is where it belongs."""

    def search(self, query: Float32Array, k: int) -> list[str]:
        """The nearest k."""

    def note(self) -> str:
        """What else there is to say."""

    def close(self) -> None:
        """End."""


class OfBackend:
    """A backend by itself, without what a shard adds."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def load(self, ids: list[str], vectors: Float32Array) -> None:
        self._backend.upsert(_numbers(ids), vectors)

    def apply(self, changes: Changes) -> None:
        self._backend.upsert(_numbers(changes.ids), changes.vectors)
        self._backend.delete(_numbers(changes.gone))

    def flush(self) -> None:
        pass

    def search(self, query: Float32Array, k: int) -> list[str]:
        return [f"i{key}" for key in self._backend.search(query, k).keys.tolist()]

    def note(self) -> str:
        return f"breadth {self._backend.breadth}"

    def close(self) -> None:
        self._backend.close()


class InPlace:
    """hnswlib as one uses it first: an update puts the new vector under the old label."""

    def __init__(self, settings: IndexSettings, ef: int) -> None:
        self._settings = settings
        self._ef = ef
        self._graph = hnswlib.Index(space="ip", dim=DIM)

    def load(self, ids: list[str], vectors: Float32Array) -> None:
        self._graph.init_index(
            max_elements=2 * len(ids),
            ef_construction=self._settings.ef_construction,
            M=self._settings.m,
        )
        self._graph.set_ef(self._ef)
        self._graph.add_items(vectors, [_number(each) for each in ids], num_threads=2)

    def apply(self, changes: Changes) -> None:
        if changes.ids:
            labels = [_number(each) for each in changes.ids]
            self._graph.add_items(changes.vectors, labels, num_threads=1)
        for each in changes.gone:
            self._graph.mark_deleted(_number(each))

    def flush(self) -> None:
        pass

    def search(self, query: Float32Array, k: int) -> list[str]:
        labels, _ = self._graph.knn_query(query[np.newaxis], k=k, num_threads=1)
        return [f"i{label}" for label in labels[0].tolist()]

    def note(self) -> str:
        return f"ef {self._ef}"

    def close(self) -> None:
        pass


class Static(InPlace):
    """A graph that nothing changes: what a search costs at best, at the narrowest good ef."""

    def __init__(
        self, settings: IndexSettings, good: Callable[[Contestant], bool], efs: tuple[int, ...]
    ) -> None:
        super().__init__(settings, efs[0])
        self._good, self._efs = good, efs

    def load(self, ids: list[str], vectors: Float32Array) -> None:
        super().load(ids, vectors)
        for ef in self._efs:
            self._ef = ef
            self._graph.set_ef(ef)
            if self._good(self):
                return


class Indexed(Protocol):
    """What keeps a backend up with its items."""

    @property
    def behind(self) -> bool: ...
    def upsert(self, item: ItemVector) -> None: ...
    def delete(self, item_id: str) -> None: ...
    def tend(self) -> None: ...
    def figures(self) -> dict[str, float]: ...
    def close(self) -> None: ...


class Kept(ABC):
    """Written as the feed of a node writes."""

    def __init__(
        self, index: Callable[[Settings, Executor], Indexed], backend: BackendName, **options: int
    ) -> None:
        self._settings = Settings(
            towers=TowerSettings(dim=DIM),
            index=IndexSettings.model_validate({"backend": backend, **options}),
        )
        self._jobs = ThreadPoolExecutor(2)
        self._index = index(self._settings, self._jobs)

    @abstractmethod
    def search(self, query: Float32Array, k: int) -> list[str]:
        """See `Contestant`."""

    def load(self, ids: list[str], vectors: Float32Array) -> None:
        for item_id, vector in zip(ids, vectors, strict=True):
            self._index.upsert(_item(item_id, vector))
        index = self._settings.index
        if index.backend != "exact" and len(ids) >= index.exact_below:
            eventually(self._builds, bool, "a backend is built", timeout_s=4 * _SETTLE_S)
        self._adjust(vectors[:16])

    def apply(self, changes: Changes) -> None:
        for number, (item_id, vector) in enumerate(zip(changes.ids, changes.vectors, strict=True)):
            while self._index.behind:
                time.sleep(0.0005)
            self._index.upsert(_item(item_id, vector))
            if number % _TENDED_OPERATIONS == 0:
                self._index.tend()
        for item_id in changes.gone:
            self._index.delete(item_id)

    def flush(self) -> None:
        while self._index.figures()["unwritten"]:
            self._index.tend()
            time.sleep(0.0005)

    def note(self) -> str:
        figures = self._index.figures()
        rebuilds = figures["rebuilds"] - 1
        return (
            f"breadth {figures['breadth']:.0f}, {rebuilds:.0f} rebuilds, "
            f"dead {figures['dead_share']:.2f}, sampled recall {figures['sampled_recall']:.3f}"
        )

    def close(self) -> None:
        self._index.close()
        self._jobs.shutdown()

    def _builds(self) -> float:
        self._index.tend()
        return self._index.figures()["rebuilds"]

    def _adjust(self, queries: Float32Array) -> None:
        """Let it find its breadth, as it would in its first seconds."""
        ends_s = time.monotonic() + _ADJUST_S
        breadths: list[float] = [-1.0]
        while time.monotonic() < ends_s and breadths[-8:].count(breadths[-1]) < 8:
            for query in queries:
                self.search(query, 100)
            time.sleep(0.12)
            self._index.tend()
            breadths.append(self._index.figures()["breadth"])


class OfShard(Kept):
    """A whole shard, ranking by the cosine alone."""

    def __init__(self, backend: BackendName, **options: int) -> None:
        super().__init__(self._made, backend, **options)

    def _made(self, settings: Settings, jobs: Executor) -> ItemIndex:
        self._shard = ItemIndex(settings, jobs)
        return self._shard

    def search(self, query: Float32Array, k: int) -> list[str]:
        found = self._shard.search(Query(query, k, scale=1.0, weights={}, trend_clock=0.0))
        return [item.item_id for item in found]


class OfLive(Kept):
    """The same backend under the same changes and checks, asked for what is near and no more."""

    def __init__(self, backend: BackendName, **options: int) -> None:
        super().__init__(self._made, backend, **options)

    def _made(self, settings: Settings, jobs: Executor) -> NearestOnly:
        self._live = NearestOnly(settings, jobs)
        return self._live

    def search(self, query: Float32Array, k: int) -> list[str]:
        return self._live.nearest(query, k)


def bare(name: BackendName, folder: Path, breadth: int | None = None) -> Contestant:
    """A backend by its name."""
    backend = make_backend(IndexSettings(milvus_url=str(folder / "milvus.db")), DIM, name=name)
    if breadth is not None:
        backend.breadth = breadth
    return OfBackend(backend)


def _item(item_id: str, vector: Float32Array) -> ItemVector:
    return ItemVector(item_id, epoch=1, step=1, vector=pack_vector(vector), trend_clock=0.0)


def _numbers(ids: Sequence[str]) -> IntArray:
    return np.array([*map(_number, ids)], dtype=np.intp)


def _number(item_id: str) -> int:
    return int(item_id[1:])

"""All shards of a node: changes go to one of them, a search to those it names."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor

from index_service.item_changes import ItemChange
from index_service.item_index import ItemIndex
from index_service.query import Query
from schemas.recall import RecalledItem
from schemas.settings import Settings
from schemas.vectors import Float32Array


class NodeIndex:
    """Which shards (partitions of `item-vectors`) are here, over one table of their items.

    All methods belong to one thread; `items` is any thread's.
    """

    def __init__(self, settings: Settings, partitions: Iterable[int], executor: Executor) -> None:
        """`partitions` are held, empty and ready; for `executor` see `ItemIndex`."""
        self._epoch = settings.towers.epoch
        self.items = ItemIndex(settings, executor)
        """All that are here."""
        self._held = set(partitions)
        self._ready = set(self._held)
        self.other_epoch = 0
        """Changes left out, as their vectors are of another model."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def held(self) -> set[int]:
        """Partitions whose shards are here, loaded or not."""
        return set(self._held)

    @property
    def ready(self) -> frozenset[int]:
        """Of these, those that are loaded: they can be searched."""
        return frozenset(self._ready)

    @property
    def fields(self) -> list[str]:
        """Attributes that some item has, sorted."""
        return sorted(self.items.fields)

    def figures_by_shard(self) -> dict[int, dict[str, float]]:
        """What is reported of each shard that is held; from any thread."""
        return {
            number: {"items": float(self.items.count_in(number))} for number in list(self._held)
        }

    def hold(self, partition: int) -> None:
        """An empty shard, to be loaded."""
        self._held.add(partition)

    def open(self, partition: int) -> None:
        """The shard is loaded."""
        self._ready.add(partition)

    def shut(self, partition: int) -> None:
        """The shard is searched no longer."""
        self._ready.discard(partition)

    def drop_some(self, partition: int) -> bool:
        """Let go of some of a shard that is shut; whether it is held no longer."""
        gone = self.items.drop_some(partition)
        if gone:
            self._held.remove(partition)
        return gone

    def apply(self, partition: int, change: ItemChange) -> None:
        """Change a shard that is held. Raises DecodeError as `ItemIndex.upsert` does."""
        if change.vector is None:
            self.items.delete(change.item_id)
        elif change.vector.epoch != self._epoch:
            self.other_epoch += 1
        else:
            self.items.upsert(change.vector, partition)

    def search_many(
        self, queries: Sequence[Query], partitions: Collection[int]
    ) -> list[list[RecalledItem]]:
        """For each query the best of these shards, by falling score, ties by item id."""
        if not self._held.issubset(partitions):
            shards = frozenset(partitions)
            queries = [dataclasses.replace(query, shards=shards) for query in queries]
        return self.items.search_many(queries)

    def vectors_of(
        self, item_ids: Iterable[str], partitions: Collection[int]
    ) -> dict[str, Float32Array]:
        """Vectors (dim,) of those items that these shards know."""
        return {
            item_id: vector
            for item_id in item_ids
            if (vector := self.items.vector_of(item_id, partitions)) is not None
        }

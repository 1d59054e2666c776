"""All shards of a node: changes go to one of them, a search to all."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from concurrent.futures import Executor

from index_service.item_changes import ItemChange
from index_service.query import Query
from index_service.shard import Shard
from schemas.recall import RecalledItem
from schemas.settings import Settings
from schemas.vectors import Float32Array


class NodeIndex:
    """Shards by partition of `item-vectors`. All methods belong to one thread."""

    def __init__(self, settings: Settings, partitions: Iterable[int], executor: Executor) -> None:
        """`executor` builds the shards' graphs."""
        self._shards = {partition: Shard(settings, executor) for partition in partitions}
        self._epoch = settings.towers.epoch
        self.trend_clock = 0.0
        """The newest clock that an item came with."""
        self.step = 0
        """The newest trainer step that an item came with."""
        self.other_epoch = 0
        """Changes left out, as their vectors are of another model."""

    def __len__(self) -> int:
        return sum(len(shard) for shard in self._shards.values())

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return len(self._shards)

    @property
    def dead_share(self) -> float:
        """Of the worst shard."""
        return max((shard.dead_share for shard in self._shards.values()), default=0.0)

    def figures_by_shard(self) -> dict[int, dict[str, float]]:
        """What each shard tells of itself."""
        return {
            number: {"items": float(len(shard)), "dead_share": shard.dead_share}
            for number, shard in list(self._shards.items())
        }

    @property
    def fields(self) -> list[str]:
        """Attributes that some item has, sorted."""
        return sorted(set[str]().union(*(shard.fields for shard in self._shards.values())))

    def apply(self, partition: int, change: ItemChange) -> None:
        """Make the change in the partition's shard. Raises DecodeError as `Shard.upsert` does."""
        shard = self._shards[partition]
        if change.vector is None:
            shard.delete(change.item_id)
        elif change.vector.epoch != self._epoch:
            self.other_epoch += 1
        else:
            shard.upsert(change.vector)
            self.trend_clock = max(self.trend_clock, change.vector.trend_clock)
            self.step = max(self.step, change.vector.step)

    def tend(self) -> None:
        """See `Shard.tend`."""
        for shard in self._shards.values():
            shard.tend()

    def close(self) -> None:
        """Stop the building of graphs."""
        for shard in self._shards.values():
            shard.close()

    def search(self, query: Query) -> list[RecalledItem]:
        """The best of all shards' best, by falling score, ties by item id."""
        found = (shard.search(query) for shard in self._shards.values())
        merged = heapq.merge(*found, key=lambda item: (-item.score, item.item_id))
        return [item for item, _ in zip(merged, range(query.k), strict=False)]

    def vectors_of(self, item_ids: list[str]) -> list[Float32Array]:
        """Vectors (dim,) of those items that are known, in the same order."""
        return [vector for item_id in item_ids if (vector := self._vector_of(item_id)) is not None]

    def _vector_of(self, item_id: str) -> Float32Array | None:
        for shard in self._shards.values():
            vector = shard.vector_of(item_id)
            if vector is not None:
                return vector
        return None

"""All shards of a node: changes go to one of them, a search to those it names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain

from index_service.item_changes import ItemChange
from index_service.query import Query
from index_service.shard import Shard
from schemas.recall import RecalledItem
from schemas.settings import Settings
from schemas.vectors import Float32Array


class NodeIndex:
    """Shards by partition of `item-vectors`. All methods belong to one thread."""

    def __init__(self, settings: Settings, partitions: Iterable[int], executor: Executor) -> None:
        """`partitions` are held, empty and ready; for `executor` see `Shard`."""
        self._settings = settings
        self._executor = executor
        self._shards = {partition: Shard(settings, executor) for partition in partitions}
        self._ready = set(self._shards)
        self._lookers = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), "look")
        self.trend_clock = 0.0
        """The newest clock that an item came with."""
        self.step = 0
        """The newest trainer step that an item came with."""
        self.other_epoch = 0
        """Changes left out, as their vectors are of another model."""

    def __len__(self) -> int:
        return sum(len(shard) for shard in self._shards.values())

    @property
    def held(self) -> set[int]:
        """Partitions whose shards are here, loaded or not."""
        return set(self._shards)

    @property
    def ready(self) -> frozenset[int]:
        """Of these, those that are loaded: they can be searched."""
        return frozenset(self._ready)

    @property
    def behind(self) -> bool:
        """See `Shard.behind`."""
        return any(shard.behind for shard in self._shards.values())

    def figures(self) -> dict[str, float]:
        """Of all shards: sums of what counts up, and of shares and times those of the worst."""
        # From any thread: shards may come and go meanwhile.
        each = [shard.figures() for shard in list(self._shards.values())]
        worst = {"sampled_recall": min}
        sums = ("items", "unwritten", "rebuilds")
        names = each[0] if each else ()
        return {
            name: (sum if name in sums else worst.get(name, max))(of[name] for of in each)
            for name in names
        }

    def figures_by_shard(self) -> dict[int, dict[str, float]]:
        """What each shard reports of itself; from any thread."""
        return {number: shard.figures() for number, shard in list(self._shards.items())}

    @property
    def fields(self) -> list[str]:
        """Attributes that some item has, sorted."""
        return sorted(set[str]().union(*(shard.fields for shard in self._shards.values())))

    def hold(self, partition: int) -> Shard:
        """An empty shard of this partition, to be loaded."""
        shard = self._shards[partition] = Shard(self._settings, self._executor)
        return shard

    def shard(self, partition: int) -> Shard:
        """The shard of a partition that is held."""
        return self._shards[partition]

    def open(self, partition: int) -> None:
        """The shard is loaded."""
        self._ready.add(partition)

    def drop(self, partition: int) -> None:
        """Hold the shard no longer."""
        self._ready.discard(partition)
        self._shards.pop(partition).close()

    def apply(self, partition: int, change: ItemChange) -> None:
        """Make the change in the partition's shard. Raises DecodeError as `Shard.upsert` does."""
        shard = self._shards[partition]
        if change.vector is None:
            shard.delete(change.item_id)
        elif change.vector.epoch != self._settings.towers.epoch:
            self.other_epoch += 1
        else:
            shard.upsert(change.vector)
            self.note(change.vector.trend_clock, change.vector.step)

    def note(self, trend_clock: float, step: int) -> None:
        """An item came with these."""
        self.trend_clock = max(self.trend_clock, trend_clock)
        self.step = max(self.step, step)

    def tend(self) -> None:
        """See `Shard.tend`."""
        for shard in self._shards.values():
            shard.tend()

    def close(self) -> None:
        """Stop the building of graphs."""
        self._lookers.shutdown()
        for shard in self._shards.values():
            shard.close()

    def search_many(
        self, queries: Sequence[Query], partitions: Collection[int]
    ) -> list[list[RecalledItem]]:
        """For each query the best of these shards, by falling score, ties by item id."""
        shards = [*self._of(partitions)]
        if not shards:
            return [[] for _ in queries]
        # Vectors are compared outside of the interpreter's lock: a core for each shard.
        others = [self._lookers.submit(shard.look, queries) for shard in shards[1:]]
        sights = [shards[0].look(queries), *(other.result() for other in others)]
        found = [shard.answer(sight) for shard, sight in zip(shards, sights, strict=True)]
        return [
            best_of(query.k, (by_shard[at] for by_shard in found))
            for at, query in enumerate(queries)
        ]

    def vectors_of(
        self, item_ids: Iterable[str], partitions: Collection[int]
    ) -> dict[str, Float32Array]:
        """Vectors (dim,) of those items that these shards know."""
        return {
            item_id: vector
            for item_id in item_ids
            for shard in self._of(partitions)
            if (vector := shard.vector_of(item_id)) is not None
        }

    def _of(self, partitions: Collection[int]) -> Iterator[Shard]:
        return (shard for number, shard in self._shards.items() if number in partitions)


def best_of(k: int, found: Iterable[list[RecalledItem]]) -> list[RecalledItem]:
    """The k best of lists that each go by falling score; an item that is in several, once."""
    lists = list(found)
    if len(lists) == 1:
        return lists[0][:k]
    best: dict[str, RecalledItem] = {}
    for item in sorted(chain(*lists), key=lambda item: (-item.score, item.item_id)):
        if len(best) == k:
            break
        best.setdefault(item.item_id, item)
    return list(best.values())

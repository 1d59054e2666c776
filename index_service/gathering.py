"""Searches all shards of a replica: those here at once, the others by asking who holds them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from index_service.figures import NodeFigures
from index_service.node_index import NodeIndex
from index_service.peers import Peers
from index_service.query import Query
from index_service.recall_core import Found
from index_service.shard_calls import ShardCalls
from index_service.shard_wire import to_wire
from schemas.recall import RecalledItem
from schemas.settings import Settings
from schemas.shards import ShardAnswer, ShardCall
from schemas.topics import partition_of
from schemas.vectors import Float32Array, unpack_vector

_RETURN_MS = 20
"""An answer must be on its way so long before the deadline to be there in time."""


class _Asked(NamedTuple):
    node: str
    shards: list[int]


class Gatherer:
    """Scatters queries over the nodes and gathers what comes in time.

    Who does not answer within `index.hedge_ms` is suspected, and another node with the same
    shards, of any replica, is asked as well; the first answer counts.
    """

    def __init__(
        self,
        settings: Settings,
        index: NodeIndex,
        peers: Peers,
        calls: ShardCalls,
        figures: NodeFigures,
        now_ms: Callable[[], int],
        shards: int,
    ) -> None:
        """`shards`: how many there are in all."""
        self._settings = settings
        self._index = index
        self._peers = peers
        self._calls = calls
        self._figures = figures
        self._now_ms = now_ms
        self._shards = shards

    @property
    def all_here(self) -> bool:
        """Nobody else need be asked."""
        return len(self._index.ready) == self._shards

    def known_fields(self) -> list[str] | None:
        """Attributes that items have; None while some shard's are not known, or there is none."""
        fields, now_ms = {*self._index.fields}, self._now_ms()
        if not self.all_here:
            if len(self._index.ready | self._peers.held(now_ms)) < self._shards:
                return None
            fields |= self._peers.fields(now_ms)
        return sorted(fields) or None

    def search_here(self, queries: Sequence[Query]) -> list[Found]:
        """What this node's own shards give."""
        ready = self._index.ready
        found = self._index.search_many(queries, ready)
        return [Found(items, len(ready), self._shards, self._index.items.step) for items in found]

    def vectors_here(self, item_ids: Sequence[str]) -> dict[str, Float32Array]:
        """Vectors (dim,) of those items that this node's own shards know."""
        return self._index.vectors_of(item_ids, self._index.ready)

    async def search(self, queries: Sequence[Query], deadline_ms: int) -> list[Found]:
        """What all shards give that answer before the deadline."""
        here, ready = self._index.search_many(queries, self._index.ready), self._index.ready
        wire = [to_wire(query) for query in queries]
        answers = await self._ask_others(
            set(range(self._shards)) - ready,
            lambda node, shards: ShardCall(node, shards, wire),
            deadline_ms,
        )
        answered = len(ready.union(*(answer.shards for answer in answers)))
        step = max([self._index.items.step, *(answer.step for answer in answers)])
        return [
            Found(
                _best_of(query.k, [here[at], *(answer.found[at] for answer in answers)]),
                answered,
                self._shards,
                step,
            )
            for at, query in enumerate(queries)
        ]

    async def vectors_of(
        self, item_ids: Sequence[str], deadline_ms: int
    ) -> dict[str, Float32Array]:
        """Vectors (dim,) of those items that are known to shards which answer in time."""
        ready = self._index.ready
        known = self.vectors_here(item_ids)
        by_shard: dict[int, list[str]] = {}
        for item_id in item_ids:
            by_shard.setdefault(partition_of(item_id.encode(), self._shards), []).append(item_id)
        answers = await self._ask_others(
            set(by_shard) - ready,
            lambda node, shards: ShardCall(
                node, shards, vectors_of=[item for shard in shards for item in by_shard[shard]]
            ),
            deadline_ms,
        )
        for answer in answers:
            known |= {item: unpack_vector(data) for item, data in answer.vectors.items()}
        return known

    async def _ask_others(
        self, shards: set[int], call: Callable[[str, list[int]], ShardCall], deadline_ms: int
    ) -> list[ShardAnswer]:
        missing, asked = set(shards), set[str]()
        waiting: dict[asyncio.Future[ShardAnswer], _Asked] = {}
        answers: list[ShardAnswer] = []
        try:
            while missing:
                for node, theirs in self._peers.plan(missing, asked, self._now_ms()).items():
                    self._figures.counts["hedged" if waiting else "shard_calls_sent"] += 1
                    future = self._calls.ask(call(node, theirs), deadline_ms)
                    waiting[future] = _Asked(node, theirs)
                    asked.add(node)
                left_ms = deadline_ms - _RETURN_MS - self._now_ms()
                if not waiting or left_ms <= 0:
                    break
                patience_ms = min(left_ms, self._settings.index.hedge_ms)
                done, _ = await asyncio.wait(
                    waiting, timeout=patience_ms / 1e3, return_when=asyncio.FIRST_COMPLETED
                )
                for node, _ in () if done else waiting.values():
                    self._peers.suspect(node)
                for future in done:
                    del waiting[future]
                    answer = future.result()
                    if answer.status == "ok" and not missing.isdisjoint(answer.shards):
                        answers.append(answer)
                        missing.difference_update(answer.shards)
        finally:
            for future in waiting:
                future.cancel()
        return answers


def _best_of(k: int, found: Iterable[list[RecalledItem]]) -> list[RecalledItem]:
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

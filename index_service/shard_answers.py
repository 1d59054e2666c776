"""Answers what other nodes ask about this node's shards."""

from __future__ import annotations

import logging

from index_service.node_index import NodeIndex
from index_service.shard_wire import from_wire
from schemas.codec import Decoder
from schemas.settings import Settings
from schemas.shards import ShardAnswer, ShardCall
from schemas.vectors import pack_vector

_decoder: Decoder[ShardCall] = Decoder(ShardCall)
_log = logging.getLogger(__name__)


def read_shard_call(value: bytes | None) -> ShardCall:
    """The call in a record. Raises DecodeError."""
    return _decoder.decode(value or b"")


class ShardAnswers:
    """Searches those of the shards asked that are loaded here."""

    def __init__(self, settings: Settings, index: NodeIndex) -> None:
        self._settings = settings
        self._index = index

    def answer(self, call: ShardCall) -> ShardAnswer:
        """The answer; an error where a query can't be searched for, as the asker may go elsewhere.

        Raises DecodeError for a vector of another dimension.
        """
        shards = sorted(self._index.ready.intersection(call.shards))
        queries = [from_wire(query, self._settings.towers.dim) for query in call.queries]
        try:
            found = self._index.search_many(queries, shards)
        except Exception:
            # A bug, but no reason to end a node: the same call would end the next one as well.
            _log.exception("event=shard_search_failed")
            return ShardAnswer("error")
        vectors = self._index.vectors_of(call.vectors_of, shards)
        packed = {item: pack_vector(vector) for item, vector in vectors.items()}
        return ShardAnswer("ok", shards, found, packed, self._index.items.step)

"""What the AsyncAPI document says about each topic: its message, key, headers and direction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.codec import CONTENT_TYPE, JSON, MSGPACK
from schemas.dead_letters import DeadLetter
from schemas.events import Event, Item
from schemas.recall import (
    CORRELATION_ID,
    DEADLINE_MS,
    REPLY_PARTITION,
    REPLY_TOPIC,
    RecallReply,
    RecallRequest,
)
from schemas.samples import SampleBatch
from schemas.shards import NodeState, ShardAnswer, ShardCall
from schemas.topics import (
    DEAD_LETTERS,
    EVENTS,
    ITEM_VECTORS,
    ITEMS,
    NEGATIVES,
    POSITIVES,
    RECALL_NODES,
    RECALL_REPLIES,
    RECALL_REQUESTS,
    RECALL_SHARD_QUERIES,
    RECALL_SHARD_REPLIES,
)
from schemas.vectors import ItemVector

Schema = dict[str, Any]

DESCRIPTION = f"""Events in, fresh recall out, over Kafka.

Values are MessagePack. A value may be JSON instead when the record's header `{CONTENT_TYPE}` (or
`contentType`) is `{JSON}`, with or without quotes; replies answer in kind. Bytes are `bin` in
MessagePack and base64 text in JSON. An absent field has its default; an unknown field is ignored.

The partition of a key is murmur2 modulo the partitions, as Kafka's own clients choose it, so that
producers in every language agree. Delivery is at least once; ids are deterministic, so that the
effect is once."""

_CONTENT_TYPE: Schema = {
    CONTENT_TYPE: {
        "type": "string",
        "enum": [MSGPACK, JSON],
        "default": MSGPACK,
        "description": "How the value is written. `contentType` is understood too.",
    }
}
_CORRELATION: Schema = {
    CORRELATION_ID: {
        "type": "string",
        "format": "binary",
        "description": "Opaque bytes of any length, copied unread from the request to its reply.",
    }
}
_REQUEST: Schema = {
    REPLY_TOPIC: {"type": "string", "description": "UTF-8 name of the topic for the reply."},
    REPLY_PARTITION: {
        "type": "string",
        "format": "binary",
        "description": "Partition for the reply: 4 bytes, big-endian signed. Absent when the "
        "caller reads the whole topic: then no partition is chosen for it.",
    },
    DEADLINE_MS: {
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "ASCII milliseconds since 1970-01-01 UTC. A request is dropped after it.",
    },
}
_SHARD_CALL = {name: _REQUEST[name] for name in (REPLY_PARTITION, DEADLINE_MS)}


@dataclass(frozen=True)
class Reply:
    """Where the answer to an operation goes."""

    topic_header: str
    """Header of the request that names the topic."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One topic, apart from its layout, which is in `topic_specs`."""

    message: str
    wire_type: Any
    operation: str
    action: Literal["send", "receive"]
    """What Penstock does, as AsyncAPI 3 counts."""
    summary: str
    """Of the operation."""
    description: str
    """Of the topic."""
    key: str
    headers: Schema = field(default_factory=lambda: dict(_CONTENT_TYPE))
    required_headers: tuple[str, ...] = ()
    correlation_header: str | None = None
    reply: Reply | None = None


_SOURCE_KEY = "that of the source record of events, and on the same partition."

CHANNELS: dict[str, Channel] = {
    EVENTS: Channel(
        message="events",
        wire_type=Event | list[Event],
        operation="labelEvents",
        action="receive",
        summary="Labels what users did and were shown.",
        description="What users did and were shown. One event a record is the easy way, an array "
        "the fast way; all users of an array belong to the record's partition.",
        key="user id.",
    ),
    ITEMS: Channel(
        message="item",
        wire_type=Item | None,
        operation="keepItems",
        action="receive",
        summary="Keeps the catalogue.",
        description="The catalogue. The latest record of an item is the whole truth about it; a "
        "null value deletes the item.",
        key="item id.",
    ),
    POSITIVES: Channel(
        message="positives",
        wire_type=SampleBatch,
        operation="statePositives",
        action="send",
        summary="States positives and signals at once.",
        description="Positives and signals, and how often each item was shown in the source "
        "record of events.",
        key=_SOURCE_KEY,
    ),
    NEGATIVES: Channel(
        message="negatives",
        wire_type=SampleBatch,
        operation="stateNegatives",
        action="send",
        summary="States exposures that stayed without a positive, after the window.",
        description="Exposures without a positive within the window of the labelling.",
        key=_SOURCE_KEY,
    ),
    ITEM_VECTORS: Channel(
        message="itemVector",
        wire_type=ItemVector | None,
        operation="publishItemVectors",
        action="send",
        summary="Publishes the vectors of items that moved.",
        description="Items as the index serves them; a null value takes the item out. A partition "
        "is a shard of the index.",
        key="item id.",
    ),
    RECALL_REQUESTS: Channel(
        message="recallRequest",
        wire_type=RecallRequest,
        operation="recall",
        action="receive",
        summary="Answers each request once, by the headers that Spring Kafka's request/reply uses.",
        description="Requests for recall. One without a correlation id or a reply topic is "
        "counted and skipped.",
        key="anything; spreads the requests over the partitions.",
        headers=_CONTENT_TYPE | _CORRELATION | _REQUEST,
        required_headers=(CORRELATION_ID, REPLY_TOPIC),
        correlation_header=CORRELATION_ID,
        reply=Reply(REPLY_TOPIC, "recallReply"),
    ),
    RECALL_REPLIES: Channel(
        message="recallReply",
        wire_type=RecallReply,
        operation="reply",
        action="send",
        summary="Replies, unless the request names another topic.",
        description="A topic for replies. The request's headers say which topic and partition a "
        "reply goes to; this one is there for callers that bring none of their own.",
        key="none; the partition is the one that the request asks for.",
        headers=_CONTENT_TYPE | _CORRELATION,
        required_headers=(CORRELATION_ID,),
        correlation_header=CORRELATION_ID,
    ),
    RECALL_NODES: Channel(
        message="nodeState",
        wire_type=NodeState,
        operation="tellNodeState",
        action="send",
        summary="Tells which shards a node can be asked about, several times a second.",
        description="Index nodes among themselves: which are alive, and what they hold.",
        key="name of the node.",
    ),
    RECALL_SHARD_QUERIES: Channel(
        message="shardCall",
        wire_type=ShardCall,
        operation="askShards",
        action="send",
        summary="Asks another node about shards that this one does not hold.",
        description="Index nodes among themselves: searches of the shards of others. The answer "
        "goes to the partition of `recall.shard-replies` that the header names.",
        key="name of the node that is asked; the partition is murmur2 of it.",
        headers=_CONTENT_TYPE | _CORRELATION | _SHARD_CALL,
        required_headers=(CORRELATION_ID, REPLY_PARTITION),
        correlation_header=CORRELATION_ID,
    ),
    RECALL_SHARD_REPLIES: Channel(
        message="shardAnswer",
        wire_type=ShardAnswer,
        operation="answerShards",
        action="send",
        summary="Answers what another node asked.",
        description="Index nodes among themselves: what shards found.",
        key="none; the partition is the one that the call asks for.",
        headers=_CONTENT_TYPE | _CORRELATION,
        required_headers=(CORRELATION_ID,),
        correlation_header=CORRELATION_ID,
    ),
    DEAD_LETTERS: Channel(
        message="deadLetter",
        wire_type=DeadLetter,
        operation="refuse",
        action="send",
        summary="Sets aside what can't be used, with the reason.",
        description="Records, or single events of records, that a role refused.",
        key="the topic that the record came from.",
    ),
}

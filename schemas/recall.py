"""Recall RPC: the request, the reply, and the names of its headers."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.events import FeatureValue

CORRELATION_ID = "kafka_correlationId"
"""Opaque bytes, copied unread into the reply."""
REPLY_TOPIC = "kafka_replyTopic"
"""UTF-8 name of the topic that the reply goes to."""
REPLY_PARTITION = "kafka_replyPartition"
"""4 bytes, big-endian signed; absent when the caller reads the whole reply topic."""
DEADLINE_MS = "deadline-ms"
"""ASCII milliseconds since 1970-01-01 UTC: a request is dropped after it, not served late."""

Scalar = str | int | float | bool


class Range(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A filter on a numeric attribute; every bound that is given must hold."""

    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None


Condition = Scalar | list[Scalar] | Range
"""Equal to a value; equal to one of several; or within a range. An attribute that is itself a
list matches when any of its values does."""


class RecallRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Asks for `k` items by exactly one of `user_id`, `vector` and `item_ids`."""

    k: int = 10
    user_id: str | None = None
    vector: list[float] | None = None
    item_ids: list[str] | None = None
    """Items like these; also the history of an anonymous session, newest first."""
    filter: dict[str, Condition] = {}
    """All conditions must hold."""
    exclude: list[str] = []
    exclude_seen: bool = True
    """Leave out what the user's record says was seen."""
    context: dict[str, FeatureValue] = {}
    """Features of the moment, as in an event's context: what is taken where they have these values
    counts, instead of where the user's last event was. At most 32 values."""


Channel = Literal["recent", "nearest", "similar", "trending"]
"""How an item came into the list, the first of: the user took or looked at it lately; it is near
the query in the two-tower space; it occurs with the user's last items; it is trending, overall or
where the user is."""

Status = Literal["ok", "partial", "degraded", "error"]


class RecalledItem(msgspec.Struct, frozen=True, gc=False):
    """One item of a reply; items come by falling score."""

    item_id: str
    score: float
    channel: Channel


OVERLOADED = "overloaded"
"""The reason of an error that says nothing against the request: a later try may be served."""


class ErrorDetail(msgspec.Struct, frozen=True):
    """Why a request was refused."""

    rule: str
    value: str
    advice: str


class RecallReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one reply to a request."""

    status: Status
    items: list[RecalledItem] = []
    reason: str = ""
    """Why the status is not ok: `unknown user`, ..."""
    shards_answered: int = 0
    shards_asked: int = 0
    epoch: int = 0
    step: int = 0
    """The newest trainer step among the vectors searched."""
    stages_ms: dict[str, float] = {}
    """Milliseconds of each stage: `queued`, `user`, `search`, which includes what other
    nodes took."""
    error: ErrorDetail | None = None
    """Only with status error."""

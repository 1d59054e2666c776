"""A recall request as a record, and when to send it again."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.codec import CONTENT_TYPE, MSGPACK, encode
from schemas.events import FeatureValue
from schemas.recall import (
    CORRELATION_ID,
    DEADLINE_MS,
    REPLY_PARTITION,
    REPLY_TOPIC,
    Condition,
    RecallRequest,
)

_AGAIN_S = 0.2
_AGAIN_SHARE = 0.25


class RequestRecord(NamedTuple):
    """What is sent, each time the same: whoever answers first, the others' replies are dropped."""

    correlation_id: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def recall_request(
    user_id: str | None,
    vector: Sequence[float] | None,
    item_ids: Sequence[str] | None,
    k: int,
    filter: Mapping[str, Condition] | None,
    exclude: Sequence[str],
    exclude_seen: bool,
    context: Mapping[str, FeatureValue] | None,
) -> RecallRequest:
    """The request that a client's arguments make; numpy's numbers are numbers, too."""
    return RecallRequest(
        k=k,
        user_id=user_id,
        vector=None if vector is None else [float(number) for number in vector],
        item_ids=None if item_ids is None else list(item_ids),
        filter=dict(filter or {}),
        exclude=list(exclude),
        exclude_seen=exclude_seen,
        context=dict(context or {}),
    )


def request_record(
    request: RecallRequest, reply_topic: str, reply_partition: int, deadline_ms: int
) -> RequestRecord:
    """A new record; its reply is to come to the partition, until the deadline."""
    correlation_id = uuid.uuid4().bytes
    headers = [
        (CORRELATION_ID, correlation_id),
        (REPLY_TOPIC, reply_topic.encode()),
        (REPLY_PARTITION, struct.pack(">i", reply_partition)),
        (DEADLINE_MS, str(deadline_ms).encode()),
        (CONTENT_TYPE, MSGPACK.encode()),
    ]
    return RequestRecord(correlation_id, encode(request), headers)


def again_after_s(timeout_s: float) -> float:
    """How long to wait for a reply before the request goes to another node as well."""
    return min(_AGAIN_S, _AGAIN_SHARE * timeout_s)

"""The headers of a recall request: where its reply goes, and until when. Hostile input."""

from __future__ import annotations

import re
import struct
from typing import Literal, NamedTuple

from schemas.codec import Headers
from schemas.recall import (
    CORRELATION_ID,
    DEADLINE_MS,
    REPLY_PARTITION,
    REPLY_TOPIC,
    ErrorDetail,
)
from schemas.topics import RECALL_REPLIES, topic_name

SkipReason = Literal[
    "no_correlation_id",
    "no_reply_topic",
    "bad_reply_topic",
    "forbidden_reply_topic",
    "bad_reply_partition",
]
"""Why a request can't be answered at all."""

_SHOWN_BYTES = 36  # what Spring sends in its text mode, the longest in use
_LEGAL_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
_DEADLINE = re.compile(rb"[0-9]{1,16}")


class ReplyAddress(NamedTuple):
    """Where a reply goes."""

    topic: str
    partition: int | None
    """None: the caller reads the whole topic, any partition will do."""
    correlation_id: bytes

    @property
    def shown_id(self) -> str:
        """The correlation id for a log line: hexadecimal, the first 36 bytes of a longer one."""
        return self.correlation_id[:_SHOWN_BYTES].hex()


def reply_address(headers: Headers | None, namespace: str) -> ReplyAddress | SkipReason:
    """Where the reply goes, or why there can be none; never raises. The last of a name wins."""
    last = dict(headers or ())
    correlation_id = last.get(CORRELATION_ID)
    if not correlation_id:
        return "no_correlation_id"
    raw_topic = last.get(REPLY_TOPIC)
    if not raw_topic:
        return "no_reply_topic"
    topic = raw_topic.decode("ascii", errors="replace")  # a legal name is ASCII
    if not _LEGAL_TOPIC.fullmatch(topic) or topic in (".", ".."):
        return "bad_reply_topic"
    if not _may_reply_to(topic, namespace):
        return "forbidden_reply_topic"
    if REPLY_PARTITION not in last:
        return ReplyAddress(topic, None, correlation_id)
    raw_partition = last[REPLY_PARTITION]
    if raw_partition is None or len(raw_partition) != 4:
        return "bad_reply_partition"
    (partition,) = struct.unpack(">i", raw_partition)
    if partition < 0:
        return "bad_reply_partition"
    return ReplyAddress(topic, partition, correlation_id)


def deadline_ms(headers: Headers | None, default_ms: int) -> int | ErrorDetail:
    """The absolute deadline: the last header's, or `default_ms` without one. Never raises."""
    last = dict(headers or ())
    if DEADLINE_MS not in last:
        return default_ms
    raw = last[DEADLINE_MS] or b""
    if not _DEADLINE.fullmatch(raw):
        return ErrorDetail(
            f"header {DEADLINE_MS} must be ASCII milliseconds since 1970-01-01 UTC",
            repr(raw[:40]),
            "send 1 to 16 digits, or leave the header out",
        )
    return int(raw)


def _may_reply_to(topic: str, namespace: str) -> bool:
    """Any topic of the callers', but of our own only the replies', and none of Kafka's own.

    A reply to the requests' topic would be a loop, one to `item-vectors` would be an attack.
    """
    if topic.startswith("__"):
        return False
    replies = topic_name(namespace, RECALL_REPLIES)
    ours = topic.startswith(topic_name(namespace, ""))
    return not ours or topic == replies or topic.startswith(f"{replies}.")

"""The header contract of recall RPC."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_service.reply_headers import ReplyAddress, deadline_ms, reply_address
from schemas.recall import (
    CORRELATION_ID,
    DEADLINE_MS,
    REPLY_PARTITION,
    REPLY_TOPIC,
    ErrorDetail,
)

CID = (CORRELATION_ID, bytes(range(16)))
TOPIC = (REPLY_TOPIC, b"penstock.recall.replies")
NAMES = [CORRELATION_ID, REPLY_TOPIC, REPLY_PARTITION, DEADLINE_MS, "content-type", "x"]


def partition(number: int) -> tuple[str, bytes]:
    return REPLY_PARTITION, struct.pack(">i", number)


def test_spring_headers_are_an_address() -> None:
    headers = [("__TypeId__", b"com.example.Request"), CID, TOPIC, partition(3)]
    expected = ReplyAddress("penstock.recall.replies", 3, bytes(range(16)))
    assert reply_address(headers, "penstock") == expected


def test_without_a_partition_none_is_chosen() -> None:
    address = reply_address([CID, TOPIC], "penstock")
    assert address == ReplyAddress("penstock.recall.replies", None, CID[1])


def test_the_last_header_of_a_name_wins() -> None:
    headers = [CID, TOPIC, partition(1), (CORRELATION_ID, b"second"), partition(2)]
    address = reply_address(headers, "penstock")
    assert address == ReplyAddress("penstock.recall.replies", 2, b"second")
    assert reply_address([*headers, (CORRELATION_ID, None)], "penstock") == "no_correlation_id"


@pytest.mark.parametrize("topic", ["callers", "other.recall.requests", "penstock.recall.replies.a"])
def test_topics_of_callers_are_allowed(topic: str) -> None:
    address = reply_address([CID, (REPLY_TOPIC, topic.encode())], "penstock")
    assert address == ReplyAddress(topic, None, CID[1])


@pytest.mark.parametrize(
    "topic",
    [
        "penstock.recall.requests",
        "penstock.item-vectors",
        "penstock.recall.replies-not",
        "penstock.",
        "__consumer_offsets",
    ],
)
def test_no_reply_goes_to_our_own_topics_or_kafkas(topic: str) -> None:
    headers = [CID, (REPLY_TOPIC, topic.encode())]
    assert reply_address(headers, "penstock") == "forbidden_reply_topic"


@pytest.mark.parametrize("topic", [b"a b", b"\xff\xfe", "ä".encode(), b".", b"..", b"x" * 250])
def test_illegal_topics(topic: bytes) -> None:
    assert reply_address([CID, (REPLY_TOPIC, topic)], "penstock") == "bad_reply_topic"


@pytest.mark.parametrize("raw", [None, b"", b"1", b"\0\0\0", b"\0" * 5, b"\xff\xff\xff\xff"])
def test_bad_partitions(raw: bytes | None) -> None:
    headers = [CID, TOPIC, (REPLY_PARTITION, raw)]
    assert reply_address(headers, "penstock") == "bad_reply_partition"


def test_what_is_missing_is_named() -> None:
    assert reply_address(None, "penstock") == "no_correlation_id"
    assert reply_address([TOPIC], "penstock") == "no_correlation_id"
    assert reply_address([CID], "penstock") == "no_reply_topic"


def test_deadline() -> None:
    assert deadline_ms([], 7) == 7
    assert deadline_ms([(DEADLINE_MS, b"5"), (DEADLINE_MS, b"1700000000123")], 7) == 1700000000123
    for raw in (None, b"", b"-1", b"1.5", b" 1", b"1" * 17, "\u0661".encode()):
        assert isinstance(deadline_ms([(DEADLINE_MS, raw)], 7), ErrorDetail)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(NAMES) | st.text(), st.none() | st.binary(max_size=300))))
def test_hostile_headers_raise_nothing(headers: list[tuple[str, bytes | None]]) -> None:
    address = reply_address(headers, "penstock")
    if isinstance(address, ReplyAddress):
        last = dict(headers)
        assert address.correlation_id == last[CORRELATION_ID]
        assert address.topic.encode() == last[REPLY_TOPIC]
        assert address.partition is None or 0 <= address.partition < 2**31
    deadline = deadline_ms(headers, 0)
    assert isinstance(deadline, ErrorDetail) or deadline >= 0

from __future__ import annotations

import pytest

from ops.embedded.messages import FetchTerms, fetch_terms, is_enough, produced
from schemas.errors import DecodeError
from tests.support.kafka_frames import fetch_answer, fetch_request, produce_request

VERSIONS = range(14)
BY_NAME = range(13)


@pytest.mark.parametrize("version", BY_NAME)
def test_the_terms_of_a_fetch(version: int) -> None:
    frame = fetch_request({"a": 2, "b": 1}, version, max_wait_ms=250, min_bytes=64)
    assert fetch_terms(frame, version) == FetchTerms(0.25, 64, frozenset({"a", "b"}))


def test_a_fetch_by_topic_ids_waits_for_any_topic() -> None:
    assert fetch_terms(fetch_request({"": 1}, 13), 13).topics is None


def test_only_a_fetch_with_something_to_wait_for_waits() -> None:
    assert FetchTerms(0.5, 1, frozenset({"t"})).waits
    assert FetchTerms(0.5, 1, None).waits
    assert not FetchTerms(0.0, 1, frozenset({"t"})).waits
    assert not FetchTerms(0.5, 0, frozenset({"t"})).waits
    assert not FetchTerms(0.5, 1, frozenset()).waits


@pytest.mark.parametrize("version", VERSIONS)
def test_enough_is_min_bytes_of_records(version: int) -> None:
    for records, is_full in ((None, False), (b"", False), (b"x" * 9, False), (b"x" * 10, True)):
        assert is_enough(fetch_answer(records, version), version, min_bytes=10) is is_full


@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_is_enough(version: int) -> None:
    assert is_enough(fetch_answer(version=version, error=1), version, min_bytes=1)
    if version >= 7:
        assert is_enough(fetch_answer(version=version, top_error=70), version, min_bytes=1)


def test_a_fetch_session_is_never_held() -> None:
    assert is_enough(fetch_answer(session=5), 11, min_bytes=1)


@pytest.mark.parametrize("version", range(3, 10))
@pytest.mark.parametrize("acks", [-1, 0, 1])
def test_what_a_produce_request_writes_to(version: int, acks: int) -> None:
    frame = produce_request({"a": b"x" * 50_000, "b": b"y"}, version, acks)
    told = produced(frame, version)
    assert told.topics == {"a", "b"}
    assert told.is_answered is (acks != 0)


def test_what_is_not_the_message_is_refused() -> None:
    with pytest.raises(DecodeError, match="version 11"):
        fetch_terms(fetch_request({"t": 1}, 11)[:-6], 11)
    with pytest.raises(DecodeError, match="version 99"):
        fetch_terms(fetch_request({"t": 1}, 11), 99)
    with pytest.raises(DecodeError, match="fetch answer"):
        is_enough(fetch_answer()[:-6], 11, min_bytes=1)

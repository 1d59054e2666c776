from __future__ import annotations

from typing import Any

import pytest
from kafka.protocol.consumer.group import JoinGroupRequest
from kafka.protocol.metadata import (
    ApiVersionsResponse,
    FindCoordinatorResponse,
    MetadataResponse,
)

from ops.embedded.frames import LENGTH_BYTES
from ops.embedded.messages import API_VERSIONS, FETCH, FIND_COORDINATOR, METADATA
from ops.embedded.rewriting import Rewriter
from tests.support.kafka_frames import encoded

PRIVATE, PUBLIC = 45_001, 9_092
REWRITER = Rewriter(PRIVATE, PUBLIC)


def decoded(message: Any, frame: bytes, version: int) -> Any:
    assert int.from_bytes(frame[:LENGTH_BYTES], "big") == len(frame) - LENGTH_BYTES
    return message.decode(frame, version=version, header=True, framed=True)


@pytest.mark.parametrize("version", [1, 5, 9, 12])
def test_metadata_tells_the_public_port(version: int) -> None:
    broker = MetadataResponse.MetadataResponseBroker(
        version=version, node_id=1, host="127.0.0.1", port=PRIVATE
    )
    frame = encoded(MetadataResponse(version=version, brokers=[broker], topics=[]))
    seen = decoded(MetadataResponse, REWRITER.answer(METADATA, version, frame), version)
    assert [(b.host, b.port) for b in seen.brokers] == [("127.0.0.1", PUBLIC)]


def test_the_coordinator_has_the_public_port() -> None:
    frame = encoded(FindCoordinatorResponse(version=2, node_id=1, host="127.0.0.1", port=PRIVATE))
    seen = decoded(FindCoordinatorResponse, REWRITER.answer(FIND_COORDINATOR, 2, frame), 2)
    assert (seen.host, seen.port) == ("127.0.0.1", PUBLIC)


def test_other_answers_are_left_alone() -> None:
    records = b"127.0.0.1" + PRIVATE.to_bytes(4, "big")
    assert REWRITER.answer(FETCH, 11, records) == records
    assert REWRITER.answer(JoinGroupRequest.API_KEY, 5, records) == records


@pytest.mark.parametrize("version", range(4))
def test_fetches_are_capped_to_the_last_version_by_name(version: int) -> None:
    ranges = {0: (0, 9), 1: (0, 13), 13: (1, 13), 3: (0, 12)}
    item = ApiVersionsResponse.ApiVersion
    keys = [
        item(version=version, api_key=key, min_version=low, max_version=high)
        for key, (low, high) in ranges.items()
    ]
    frame = encoded(ApiVersionsResponse(version=version, error_code=0, api_keys=keys))
    answer = REWRITER.answer(API_VERSIONS, version, frame)
    seen = decoded(ApiVersionsResponse, answer, version)
    told = {key.api_key: (key.min_version, key.max_version) for key in seen.api_keys}
    assert told == {**ranges, 1: (0, 12)}


def test_a_refusal_of_the_version_is_left_alone() -> None:
    frame = encoded(ApiVersionsResponse(version=0, error_code=35, api_keys=[]))
    assert REWRITER.answer(API_VERSIONS, 4, frame) == frame

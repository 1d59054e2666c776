from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.embedded.frames import (
    MAX_FRAME_BYTES,
    FrameCutter,
    correlation_of,
    framed,
    request_header,
)
from schemas.errors import DecodeError
from tests.support.kafka_frames import any_answer, any_request


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 400)))
def test_any_cut_of_the_stream_gives_the_same_frames(
    payloads: list[bytes], cuts: list[int]
) -> None:
    frames = [framed(payload) for payload in payloads]
    stream = b"".join(frames)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    cutter = FrameCutter()
    seen: list[bytes] = []
    for start, end in pairwise(edges):
        seen += cutter.feed(stream[start:end])
    assert seen == frames


def test_a_frame_comes_only_when_whole() -> None:
    frame, cutter = framed(b"abcdef"), FrameCutter()
    assert cutter.feed(frame[:-1]) == []
    assert cutter.feed(frame[-1:] + frame + frame[:3]) == [frame, frame]


@pytest.mark.parametrize("length", [-1, MAX_FRAME_BYTES + 1])
def test_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(DecodeError, match=str(length)):
        FrameCutter().feed(length.to_bytes(4, "big", signed=True))


def test_headers() -> None:
    assert request_header(any_request(3, 99, version=9)) == (3, 9, 99)
    assert correlation_of(any_answer(-5)) == -5


def test_frames_too_short_for_a_header_are_refused() -> None:
    with pytest.raises(DecodeError, match="8 bytes"):
        request_header(framed(b"\0" * 7))
    with pytest.raises(DecodeError, match="correlation"):
        correlation_of(framed(b"\0\0\0"))

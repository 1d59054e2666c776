"""The examples of docs/wire.md are what they say, and its list of reasons is whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas.channels import CHANNELS
from schemas.codec import JSON, MSGPACK, Decoder, encode
from schemas.dead_letters import REASONS
from schemas.samples import SampleBatch, sample_id

PAGE = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json (\S+)\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)


def test_each_kind_of_record_has_an_example() -> None:
    assert [topic for topic, _ in EXAMPLES] == [
        "events",
        "items",
        "positives",
        "negatives",
        "dead-letters",
    ]


@pytest.mark.parametrize(("topic", "text"), EXAMPLES, ids=[topic for topic, _ in EXAMPLES])
def test_an_example_is_what_its_topic_carries(topic: str, text: str) -> None:
    decoder = Decoder[object](CHANNELS[topic].wire_type)
    message = decoder.decode(text.encode(), JSON)
    assert decoder.decode(encode(message), MSGPACK) == message
    # No field of the example is unknown, which a reader would pass over in silence.
    again, told = json.loads(encode(message, JSON)), json.loads(text)
    pairs = zip(again, told, strict=True) if isinstance(told, list) else [(again, told)]
    for ours, theirs in pairs:
        assert set(ours) | {"available", "weight"} >= set(theirs)


def test_the_sample_id_of_the_example_is_the_real_one() -> None:
    (text,) = [text for topic, text in EXAMPLES if topic == "positives"]
    (sample,) = Decoder[SampleBatch](SampleBatch).decode(text.encode(), JSON).samples
    assert sample.sample_id == sample_id(sample.request_id, sample.item_id, sample.action)


def test_every_reason_is_listed() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(listed) == set(REASONS)

"""The AsyncAPI document: current, complete, and without loose ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.asyncapi import asyncapi_document, document_json
from schemas.channels import CHANNELS
from schemas.events import Event
from schemas.recall import (
    CORRELATION_ID,
    DEADLINE_MS,
    REPLY_PARTITION,
    REPLY_TOPIC,
    RecallReply,
    RecallRequest,
)
from schemas.settings import Settings
from schemas.topics import topic_specs

ROOT = Path(__file__).parents[3]
SETTINGS = Settings.model_construct()
DOCUMENT = asyncapi_document(SETTINGS)


def test_the_file_in_docs_is_current() -> None:
    written = (ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")
    assert written == document_json(), "run `python -m schemas.asyncapi > docs/asyncapi.json`"


def test_every_topic_is_a_channel_laid_out_as_topics_create_does() -> None:
    laid_out = {}
    for channel in DOCUMENT["channels"].values():
        namespace = channel["parameters"]["namespace"]["default"]
        kafka = channel["bindings"]["kafka"]
        config = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in kafka["topicConfiguration"].items()
        }
        address = channel["address"].replace("{namespace}", namespace)
        laid_out[address] = (kafka["partitions"], config)
    assert laid_out == {spec.name: (spec.partitions, spec.config) for spec in topic_specs(SETTINGS)}


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    references = set(_references(DOCUMENT))
    for reference in references:
        assert isinstance(_resolve(reference), dict), reference
    for kind in ("messages", "schemas"):
        assert {
            f"#/components/{kind}/{name}" for name in DOCUMENT["components"][kind]
        } <= references


@pytest.mark.parametrize("struct", [Event, RecallRequest, RecallReply])
def test_schemas_have_the_fields_of_the_types(struct: type[msgspec.Struct]) -> None:
    schema = DOCUMENT["components"]["schemas"][struct.__name__]
    fields = msgspec.structs.fields(struct)
    assert list(schema["properties"]) == [field.encode_name for field in fields]
    assert schema["required"] == [field.encode_name for field in fields if field.required]


def test_the_texts_below_fields_are_in_the_document() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Event"]["properties"]["position"]["description"] == (
        "Rank in the shown list, 0 at the top."
    )
    assert schemas["RecallReply"]["properties"]["error"]["description"] == "Only with status error."
    assert "description" in schemas["Sample"]["properties"]["action"]  # two types down


def test_the_headers_of_recall_are_documented() -> None:
    request = DOCUMENT["components"]["messages"]["recallRequest"]
    assert {CORRELATION_ID, REPLY_TOPIC, REPLY_PARTITION, DEADLINE_MS, "content-type"} == set(
        request["headers"]["properties"]
    )
    assert request["headers"]["required"] == [CORRELATION_ID, REPLY_TOPIC]
    assert request["correlationId"]["location"] == f"$message.header#/{CORRELATION_ID}"
    operation = DOCUMENT["operations"]["recall"]
    assert operation["action"] == "receive"
    assert operation["reply"]["address"]["location"] == f"$message.header#/{REPLY_TOPIC}"


def test_operations_and_messages_have_names_of_their_own() -> None:
    channels = CHANNELS.values()
    assert len({channel.operation for channel in channels}) == len(CHANNELS)
    assert len({channel.message for channel in channels}) == len(CHANNELS)


def test_names_and_layout_are_those_of_the_settings() -> None:
    settings = Settings.model_construct(namespace="shop")
    document = asyncapi_document(settings)
    assert document["channels"]["events"]["parameters"]["namespace"]["default"] == "shop"
    assert json.loads(json.dumps(document)) == document

"""The wire contract as an AsyncAPI 3.0 document, from the types and the topics' layout.

`docs/asyncapi.json` is its output: `python -m schemas.asyncapi > docs/asyncapi.json`.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.channels import CHANNELS, DESCRIPTION, Channel, Schema
from schemas.codec import MSGPACK
from schemas.settings import Settings
from schemas.topics import TopicSpec, topic_name, topic_specs

WIRE_VERSION = "0.1.0"

_REF = "#/components/schemas/{name}"
_KAFKA_BINDING = "0.5.0"


def asyncapi_document(settings: Settings) -> Schema:
    """The document, as JSON-ready values; layout and names are those of the settings."""
    wire_types = [channel.wire_type for channel in CHANNELS.values()]
    payloads, schemas = msgspec.json.schema_components(wire_types, ref_template=_REF)
    _describe_fields(schemas, wire_types)
    specs = {spec.name: spec for spec in topic_specs(settings)}
    layouts = {topic: specs[topic_name(settings.namespace, topic)] for topic in CHANNELS}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Penstock", "version": WIRE_VERSION, "description": DESCRIPTION},
        "defaultContentType": MSGPACK,
        "channels": {
            topic: _channel(topic, channel, layouts[topic], settings.namespace)
            for topic, channel in CHANNELS.items()
        },
        "operations": {
            channel.operation: _operation(topic, channel) for topic, channel in CHANNELS.items()
        },
        "components": {
            "messages": {
                channel.message: _message(channel, payload)
                for channel, payload in zip(CHANNELS.values(), payloads, strict=True)
            },
            "schemas": schemas,
        },
    }


def document_json() -> str:
    """The document of the default settings, as `docs/asyncapi.json` holds it."""
    settings = Settings.model_construct()  # neither this machine's environment nor its files
    return json.dumps(asyncapi_document(settings), indent=2) + "\n"


def _channel(topic: str, channel: Channel, layout: TopicSpec, namespace: str) -> Schema:
    config: Schema = {"cleanup.policy": layout.config["cleanup.policy"].split(",")}
    if "retention.ms" in layout.config:
        config["retention.ms"] = int(layout.config["retention.ms"])
    return {
        "address": topic_name("{namespace}", topic),
        "description": f"{channel.description}\n\nKey: {channel.key}",
        "messages": {channel.message: {"$ref": f"#/components/messages/{channel.message}"}},
        "parameters": {
            "namespace": {
                "default": namespace,
                "description": "Setting `namespace`, in front of every topic.",
            }
        },
        "bindings": {
            "kafka": {
                "partitions": layout.partitions,
                "topicConfiguration": config,
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _operation(topic: str, channel: Channel) -> Schema:
    operation: Schema = {
        "action": channel.action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": channel.summary,
        "messages": [{"$ref": f"#/channels/{topic}/messages/{channel.message}"}],
    }
    if channel.reply is not None:
        # No channel beside the address: AsyncAPI wants one or the other, and the caller decides.
        operation["reply"] = {
            "address": {"location": f"$message.header#/{channel.reply.topic_header}"},
            "messages": [{"$ref": f"#/components/messages/{channel.reply.message}"}],
        }
    return operation


def _message(channel: Channel, payload: Schema) -> Schema:
    message: Schema = {
        "name": channel.message,
        "contentType": MSGPACK,
        "payload": payload,
        "headers": {"type": "object", "properties": channel.headers},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": channel.key},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }
    if channel.required_headers:
        message["headers"]["required"] = list(channel.required_headers)
    if channel.correlation_header is not None:
        message["correlationId"] = {"location": f"$message.header#/{channel.correlation_header}"}
    return message


def _describe_fields(schemas: Schema, wire_types: Sequence[Any]) -> None:
    """Add the doc strings below the fields, which msgspec leaves out."""
    infos = msgspec.inspect.multi_type_info(wire_types)
    for struct in _structs(infos):
        properties = schemas[struct.__name__]["properties"]
        for name, text in _field_docs(struct).items():
            properties[name]["description"] = text


def _structs(part: object) -> set[type]:
    """Every struct type within a type's description."""
    if isinstance(part, msgspec.inspect.StructType):
        return {part.cls}.union(*(_structs(field.type) for field in part.fields))
    if isinstance(part, msgspec.inspect.UnionType):
        return _structs(part.types)
    if isinstance(part, msgspec.inspect.ListType):
        return _structs(part.item_type)
    if isinstance(part, msgspec.inspect.DictType):
        return _structs(part.value_type)
    if isinstance(part, list | tuple):
        return set().union(*(_structs(inner) for inner in part))
    return set()


def _field_docs(struct: type) -> dict[str, str]:
    """The string below each field of a class that has one, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            docs[field.target.id] = " ".join(below.value.value.split())
    return docs


if __name__ == "__main__":
    print(document_json(), end="")

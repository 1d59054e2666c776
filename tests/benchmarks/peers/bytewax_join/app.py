"""The join as users of Bytewax write it: JSON, `stateful_flat_map`, the Kafka connector.

Bytewax's own windows keep a clock for each key, which goes on by the system's time once the key
has no more events: a stream of the past would be labelled no faster than it happened. So the state
is kept by partition, with event time, as one writes it who also wants to replay. Without a
recovery store: on a restart this flow begins at the beginning.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow

BROKERS = [os.environ["BROKER"]]
WINDOW_MS = int(os.environ["WINDOW_MS"])
LATENESS_MS = int(os.environ["LATENESS_MS"])


@dataclass
class Waiting:
    exposures: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    order: deque[tuple[int, tuple[str, str]]] = field(default_factory=deque)
    newest_ms: int = 0


def decode(message: KafkaSourceMessage[bytes, bytes]) -> list[tuple[str, dict[str, Any]]]:
    value = orjson.loads(message.value)
    partition = str(message.partition)
    return [(partition, event) for event in (value if isinstance(value, list) else [value])]


def join(
    state: Waiting | None, event: dict[str, Any]
) -> tuple[Waiting, list[tuple[dict[str, Any], int]]]:
    state = state or Waiting()
    key = event["request_id"], event["item_id"]
    labels = []
    if event["action"] == "exposure":
        state.exposures[key] = event
        state.order.append((event["ts_ms"], key))
    elif key in state.exposures:
        labels.append((state.exposures.pop(key), 1))
    state.newest_ms = max(state.newest_ms, event["ts_ms"])
    due_ms = state.newest_ms - LATENESS_MS - WINDOW_MS
    while state.order and state.order[0][0] < due_ms:
        _, due = state.order.popleft()
        if due in state.exposures:
            labels.append((state.exposures.pop(due), 0))
    return state, labels


def encode(labelled: tuple[str, tuple[dict[str, Any], int]]) -> KafkaSinkMessage[bytes, bytes]:
    _, (exposure, label) = labelled
    value = {
        "user_id": exposure["user_id"],
        "item_id": exposure["item_id"],
        "request_id": exposure["request_id"],
        "ts_ms": exposure["ts_ms"],
        "label": label,
    }
    return KafkaSinkMessage(exposure["user_id"].encode(), orjson.dumps(value))


flow = Dataflow("labels")
records = kop.input("events", flow, brokers=BROKERS, topics=[os.environ["EVENTS"]])
keyed = op.flat_map("decode", records.oks, decode)
joined = op.stateful_flat_map("join", keyed, join)
kop.output(
    "labels",
    op.map("encode", joined, encode),
    brokers=BROKERS,
    topic=os.environ["LABELS"],
)

"""The join as users of Quix Streams write it: JSON, a stateful `apply`, RocksDB, a changelog topic.

State belongs to a message key, here the user, and nothing runs when time passes without one: a
negative comes once its user comes back. Session windows with partition-wide closing would say the
same in two lines; they look through all open sessions for each that ends: a hundred events a
second.
"""

from __future__ import annotations

import os
from typing import Any

from quixstreams import Application, State

WINDOW_MS = int(os.environ["WINDOW_MS"])
LATENESS_MS = int(os.environ["LATENESS_MS"])

app = Application(
    broker_address=os.environ["BROKER"],
    consumer_group=os.environ["GROUP"],
    auto_offset_reset="earliest",
    state_dir=os.environ["STATE_DIR"],
)
events = app.topic(os.environ["EVENTS"])
labels = app.topic(os.environ["LABELS"])


def join(event: dict[str, Any], state: State) -> list[dict[str, Any]]:
    waiting: dict[str, dict[str, Any]] = state.get("waiting", {})
    due_ms = event["ts_ms"] - LATENESS_MS - WINDOW_MS
    due = [key for key, shown in waiting.items() if shown["ts_ms"] < due_ms]
    labelled = [label(waiting.pop(key), 0) for key in due]
    key = f"{event['request_id']}/{event['item_id']}"
    if event["action"] == "exposure":
        waiting[key] = event
    elif key in waiting:
        labelled.append(label(waiting.pop(key), 1))
    state.set("waiting", waiting)
    return labelled


def label(exposure: dict[str, Any], label: int) -> dict[str, Any]:
    return {
        "user_id": exposure["user_id"],
        "item_id": exposure["item_id"],
        "request_id": exposure["request_id"],
        "ts_ms": exposure["ts_ms"],
        "label": label,
    }


app.dataframe(events).apply(join, stateful=True, expand=True).to_topic(labels)

if __name__ == "__main__":
    app.run()

"""The join as users of plain Faust write it: Records in JSON, a Table, one agent.

Each entry put into or popped from the Table is also a record on its changelog topic: that is how
Faust brings a Table back. A Table may be changed only while an agent handles an event, so
exposures whose time is up are looked for there, once a second of event time.
"""

from __future__ import annotations

import os

import faust

WINDOW_MS = int(os.environ["WINDOW_MS"])
LATENESS_MS = int(os.environ["LATENESS_MS"])
SWEEP_MS = 1_000


class Event(faust.Record, serializer="json"):
    action: str
    user_id: str
    item_id: str
    request_id: str
    ts_ms: int


class Label(faust.Record, serializer="json"):
    user_id: str
    item_id: str
    request_id: str
    ts_ms: int
    label: int


app = faust.App(
    os.environ["GROUP"],
    broker=f"kafka://{os.environ['BROKER']}",
    store="memory://",
    datadir=os.environ["STATE_DIR"],
    topic_partitions=1,
    web_enabled=False,
)
events = app.topic(os.environ["EVENTS"], value_type=Event)
labels = app.topic(os.environ["LABELS"], value_type=Label)
waiting = app.Table("waiting", partitions=1)


async def send(exposure: Event, label: int) -> None:
    await labels.send(
        value=Label(
            user_id=exposure.user_id,
            item_id=exposure.item_id,
            request_id=exposure.request_id,
            ts_ms=exposure.ts_ms,
            label=label,
        )
    )


@app.agent(events)
async def join(stream: faust.StreamT[Event]) -> None:
    newest_ms = swept_ms = 0
    async for event in stream:
        key = f"{event.request_id}/{event.item_id}"
        if event.action == "exposure":
            waiting[key] = event
        elif key in waiting:
            await send(waiting.pop(key), 1)
        newest_ms = max(newest_ms, event.ts_ms)
        if newest_ms - swept_ms >= SWEEP_MS:
            swept_ms = newest_ms
            due_ms = newest_ms - LATENESS_MS - WINDOW_MS
            for key in [key for key, shown in waiting.items() if shown.ts_ms < due_ms]:
                await send(waiting.pop(key), 0)


if __name__ == "__main__":
    app.main()

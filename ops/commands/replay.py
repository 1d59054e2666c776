"""`penstock replay`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, cast

import msgspec
import typer

from ops.commands.data import DatasetName, DatasetPath, dataset_options
from ops.commands.options import AsJson
from ops.console import out, print_json
from ops.datasets.dataset import Dataset
from ops.datasets.registry import load_dataset
from ops.datasets.retime import TimeMode, retime, retime_items
from ops.pace import Pace
from ops.progress import progress
from schemas.clock import wall_ms
from schemas.events import CLICK, Event
from schemas.settings import load_settings
from streams import EventProducer

_BATCH = 4_000  # some thousand events a record: what the labellers handle fastest


class Replayed(msgspec.Struct, frozen=True):
    """What was published."""

    dataset: str
    items: int
    events: int
    clicks: int
    seconds: float
    events_per_s: float


def replay(
    dataset: DatasetName,
    path: DatasetPath = None,
    items: Annotated[
        Path | None, typer.Option(help="csv only: a file of items beside the events.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Events a second. [default: as fast as it goes]")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    time_mode: Annotated[
        str,
        typer.Option("--time", help="now: an event happens when it is published; original: kept."),
    ] = "now",
    as_json: AsJson = False,
) -> None:
    """Publish a data set's items and events to a running stack.

    With `--time now` the replay happens in the present, at its own speed. With `--time original`
    event times are kept: the labellers go by the events' own clock, however fast they come.

    **Examples**

    `penstock replay movielens-100k`

    `penstock replay movielens-100k --rate 2000 --limit 20000`

    `penstock replay mind --path MINDsmall_train --time original`

    `penstock replay csv --path events.csv --items items.csv`
    """
    if time_mode not in ("now", "original"):
        msg = f"--time is now or original; got {time_mode!r}"
        raise typer.BadParameter(msg)
    settings = load_settings()
    loaded = load_dataset(dataset, dataset_options(path, items))
    with EventProducer(settings) as producer:
        done = _publish(producer, loaded, cast(TimeMode, time_mode), rate, limit)
    if as_json:
        print_json(done)
    else:
        out.print(
            f"published {done.items} items and {done.events} events ({done.clicks} clicks) of "
            f"{done.dataset} in {done.seconds:.1f} s, {done.events_per_s:,.0f} events/s"
        )


def _publish(
    producer: EventProducer,
    dataset: Dataset,
    mode: TimeMode,
    rate: float | None,
    limit: int | None,
) -> Replayed:
    started = time.monotonic()
    for item in retime_items(dataset.items, mode, wall_ms):
        producer.put_item(item)
    producer.flush()
    events = clicks = 0
    total = min(limit or dataset.events_total, dataset.events_total)
    with progress(dataset.name, total, "events") as advance:
        for batch in _paced(islice(dataset.events, total), rate):
            timed = list(retime(batch, mode, wall_ms))
            producer.send_many(timed)
            events += len(timed)
            clicks += sum(event.action == CLICK for event in timed)
            advance(len(timed))
        producer.flush(timeout_s=120)
    seconds = time.monotonic() - started
    return Replayed(
        dataset.name, len(dataset.items), events, clicks, seconds, events / max(seconds, 1e-9)
    )


def _paced(events: Iterable[Event], rate: float | None) -> Iterator[tuple[Event, ...]]:
    """Batches of events, each held back until the rate allows it; small ones for small rates."""
    if rate is None:
        yield from _batches(events, _BATCH)
        return
    pace = Pace(rate, time.monotonic)
    for batch in _batches(events, max(1, min(_BATCH, int(rate / 20)))):
        time.sleep(pace.wait_s(len(batch)))
        yield batch


def _batches(events: Iterable[Event], size: int) -> Iterator[tuple[Event, ...]]:
    rest = iter(events)
    while batch := tuple(islice(rest, size)):
        yield batch

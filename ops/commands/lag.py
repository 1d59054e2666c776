"""`penstock lag`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops.commands.options import AsJson
from ops.console import out, print_json
from ops.lag import LagReader, LagRow, span
from ops.signals import sigterm_as_interrupt
from schemas.settings import load_settings

_COLOURS = {"ok": "green", "behind": "bold red", "unknown": "bright_black"}


def lag(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Again and again, until Ctrl-C.")
    ] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.2, help="Seconds from look to look.")
    ] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Tell how far each role is behind, by group, topic and partition.

    Read from Kafka itself, so it is right when a role is dead. `records` lie between what the
    group has committed and the end; `waiting` is how long ago the next of them was written;
    `event age` how long ago happened what it tells. `normal` is how long a record may wait when all
    is well: a labeller of negatives commits after the window, the trainer with its checkpoints.

    **Examples**

    `penstock lag`

    `penstock lag --watch --every 1`

    `penstock lag --json` : an array; with --watch, one a line
    """
    settings = load_settings()
    with (
        sigterm_as_interrupt(),
        contextlib.suppress(KeyboardInterrupt),
        LagReader(settings) as lags,
    ):
        looks = _looks(lags, every_s if watch else None)
        if as_json:
            for rows in looks:
                print_json(rows)
        elif watch and out.is_terminal:
            with Live(console=out, auto_refresh=False) as live:
                for rows in looks:
                    live.update(table_of(rows), refresh=True)
        else:
            for rows in looks:
                out.print(table_of(rows))


def _looks(lags: LagReader, every_s: float | None) -> Iterator[list[LagRow]]:
    yield lags.read()
    while every_s is not None:
        time.sleep(every_s)
        yield lags.read()


def table_of(rows: list[LagRow]) -> RenderableType:
    """The rows for people, and below what is to be said of them."""
    columns = ("role", "topic", "part", "records", "waiting", "event age", "normal", "")
    table = Table(*columns, box=None, padding=(0, 1, 0, 0))
    for column in table.columns[2:7]:
        column.justify = "right"
    before: tuple[str, str] | None = None
    notes: dict[str, None] = {}
    for row in rows:
        here = (row.role, row.topic)
        topic = row.topic.partition(".")[2]
        table.add_row(
            row.role if here != before else "",
            topic if here != before else "",
            str(row.partition),
            "?" if row.records is None else f"{row.records:,}",
            span(row.waiting_s),
            span(row.event_age_s),
            span(row.normal_s) if row.group is not None else "",
            Text(row.state, style=_COLOURS[row.state]),
        )
        before = here
        if row.note:
            notes[f"{row.role} on {topic}: {row.note}"] = None
    return Group(table, *(Text(note, style="bright_black") for note in notes))

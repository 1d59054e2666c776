"""`penstock lag`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops.commands.options import AsJson
from ops.console import out, print_json
from ops.lag import LagReader, LagRow
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
    """The rows for people; of a reading, the notes stand in its first row."""
    table = Table("role", "topic", "part", "records", "waiting", "event age", "normal", "", "note")
    for column in table.columns[:7]:
        column.no_wrap = True  # a narrow terminal breaks the notes, and nothing else
    for column in table.columns[2:7]:
        column.justify = "right"
    before: tuple[str, str] | None = None
    noted = ""
    for row in rows:
        here = (row.role, row.topic)
        first = here != before
        note = row.note if first or row.note != noted else ""
        before, noted = here, row.note
        table.add_row(
            row.role if first else "",
            row.topic.partition(".")[2] if first else "",
            str(row.partition),
            "?" if row.records is None else f"{row.records:,}",
            seconds(row.waiting_s),
            seconds(row.event_age_s),
            seconds(row.normal_s) if row.group is not None else "",
            Text(row.state, style=_COLOURS[row.state]),
            Text(note),
        )
    return table


def seconds(value: float | None) -> str:
    """A span of time, short: `0 s`, `1.4 s`, `3 min`, `2 h`, `4 d`; `-` for none."""
    if value is None:
        return "-"
    if value == 0:
        return "0 s"
    if value < 100:
        return f"{value:.1f} s"
    for unit, size in (("min", 60), ("h", 3_600)):
        if value < 100 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value / 86_400:.0f} d"

"""`penstock label`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ops.commands.options import AsJson
from ops.console import err, out, print_json
from ops.event_files import FORMS, STANDARD, FileRecord, form_of, read_records
from ops.progress import progress
from ops.refused_file import RefusedFile
from ops.sample_files import SampleFile
from schemas.errors import DatasetError
from schemas.settings import load_settings
from streams.backfill import Backfill, Totals

_ADVANCE_BYTES = 1 << 18

FormName = StrEnum("FormName", {name: name for name in FORMS})  # type: ignore[misc]
"""The forms as choices of the command line."""


class Labelled(msgspec.Struct, frozen=True):
    """What was labelled."""

    records: int
    events: int
    positives: int
    signals: int
    negatives: int
    duplicates: int
    late: int
    taken_back: int
    refused: dict[str, int]
    seconds: float
    events_per_s: float


def label(
    from_file: Annotated[str, typer.Option(metavar="EVENTS", help="Log of events; - for stdin.")],
    to: Annotated[
        str,
        typer.Option("--out", metavar="SAMPLES", help="File of samples; - for standard output."),
    ],
    form: Annotated[
        FormName | None,
        typer.Option("--format", help="Of EVENTS. [default: by its extension; json for -]"),
    ] = None,
    refused: Annotated[
        Path | None, typer.Option(help="File for refused events, each with its reason.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Label a log of events with the code and settings of the live labellers, without Kafka.

    EVENTS holds one event or one array of events a line (.jsonl), or MessagePack values one behind
    the other (.msgpack). SAMPLES gets one sample a line or value, so that the files of two runs
    can be sorted, joined and compared. Each is final: all windows are closed at the end, each
    sample id is there once, and there is no negative of what has a positive anywhere in the log.

    Totals are told on stdout, or on stderr when the samples go to stdout.

    **Examples**

    `penstock label --from-file events.jsonl --out samples.jsonl`

    `penstock label --from-file events.msgpack --out samples.msgpack --refused refused.jsonl --json`

    `zcat events.jsonl.gz | penstock label --from-file - --out - | sort > samples.jsonl`
    """
    _check_apart(from_file, to, str(refused or STANDARD))
    settings = load_settings()
    backfill = Backfill(settings.labelling, settings.topics.partitions, time.time_ns() // 1_000_000)
    input_form = FORMS[form.value] if form else form_of(from_file)
    started_s = time.monotonic()
    records = 0
    with ExitStack() as closing:
        events = closing.enter_context(_opened(from_file))
        samples = closing.enter_context(SampleFile(to))
        set_aside = closing.enter_context(RefusedFile(refused, from_file))
        for record in _told(read_records(events, input_form), from_file):
            records += 1
            stated = backfill.take(record.value, input_form)
            samples.add(stated.samples)
            set_aside.add(record.number, stated.refusals)
        samples.add(backfill.finish())
        samples.write(backfill.final().tolist())
    totals = backfill.totals()
    seconds = time.monotonic() - started_s
    done = Labelled(records, *totals, seconds=seconds, events_per_s=totals.events / seconds)
    console = err if to == STANDARD else out
    if as_json:
        print_json(done, console)
    else:
        _show(console, done)
        set_aside.show()


def _show(console: Console, done: Labelled) -> None:
    table = Table("", "count", show_header=False)
    for name in Totals._fields[:-1]:
        table.add_row(name.replace("_", " "), f"{getattr(done, name):,}")
    for reason, count in sorted(done.refused.items()):
        table.add_row(f"refused: {reason.replace('_', ' ')}", f"{count:,}")
    console.print(table)
    console.print(f"in {done.seconds:.1f} s, {done.events_per_s:,.0f} events/s")


def _check_apart(*names: str) -> None:
    files = [Path(name).resolve() for name in names if name != STANDARD]
    if len(set(files)) < len(files):
        msg = f"EVENTS, SAMPLES and refused events are different files; got {', '.join(names)}"
        raise DatasetError(msg)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")
    except OSError as error:
        msg = f"events are read from a file; no {name} ({error.strerror}); name one that is there"
        raise DatasetError(msg) from error
    with file:
        yield file


def _told(records: Iterator[FileRecord], name: str) -> Iterator[FileRecord]:
    """The same records, while the progress is shown."""
    total = None if name == STANDARD else Path(name).stat().st_size
    told = 0
    with progress("labelling", total, "bytes") as advance:
        for record in records:
            yield record
            if record.end_bytes - told >= _ADVANCE_BYTES:
                advance(record.end_bytes - told)
                told = record.end_bytes

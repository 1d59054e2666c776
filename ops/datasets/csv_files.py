"""Your own events from a CSV file with a header, and items from another one beside it.

Events: `action,user_id,item_id,request_id,ts_ms[,position][,ctx.NAME...]`. Items:
`item_id[,feature.NAME...][,attribute.NAME...]`. UTF-8; an empty cell of an optional column is
absent.

A column of features (`ctx.`, `feature.`, `attribute.`) is numbers when every filled cell is a JSON
number, flags when every one is `true` or `false`, else text; a column named `feature.tags[]` holds
several categories with | between. Events come in the order of the file, which need not be that of
their times: a stream may be out of order too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from ops.datasets.csv_columns import Row, Table, note_rows, open_table
from ops.datasets.dataset import Dataset, DatasetOptions
from ops.datasets.rows import bad_row
from schemas.errors import DatasetError
from schemas.events import CLICK, Event, Item

NAME = "csv"
_REQUIRED = ("action", "user_id", "item_id", "request_id", "ts_ms")
_CONTEXT = "ctx."
_FEATURE = "feature."
_ATTRIBUTE = "attribute."
_FIELD = re.compile(r" - at `\$\.(\w+)")

T = TypeVar("T")


def locate_csv(options: DatasetOptions) -> Path:
    """The user's file. Raises DatasetError when it is not there, or none is given."""
    if options.path is None:
        msg = f"{NAME} comes from a file of events; name it with --path"
        raise DatasetError(msg)
    for path in (options.path, options.items):
        if path is not None and not path.is_file():
            msg = f"{NAME} comes from files; no file {path}"
            raise DatasetError(msg)
    return options.path


def load_csv(options: DatasetOptions) -> Dataset:
    """The data set; every line is checked first. Raises DatasetError with the line that is wrong.

    Items get the time of the earliest event.
    """
    table = open_table(locate_csv(options), _REQUIRED, ("position",), (_CONTEXT,))
    events = clicks = 0
    first_ms: int | None = None

    def check(line: int, row: Row) -> None:
        nonlocal events, clicks, first_ms
        event = _event(table, line, row, with_context=False)  # kinds aren't known yet
        events += 1
        clicks += event.action == CLICK
        first_ms = event.ts_ms if first_ms is None else min(first_ms, event.ts_ms)

    note_rows(table, check)
    items = [] if options.items is None else list(_read_items(options.items, first_ms or 0))
    return Dataset(NAME, items, _CsvEvents(table), events, clicks)


@dataclass(frozen=True)
class _CsvEvents:
    table: Table

    def __iter__(self) -> Iterator[Event]:
        for line, row in self.table.rows():
            yield _event(self.table, line, row, with_context=True)


def _event(table: Table, line: int, row: Row, with_context: bool) -> Event:
    fields: dict[str, object] = {name: row[name] for name in _REQUIRED}
    fields["ts_ms"] = _whole(table, line, "ts_ms", row["ts_ms"])
    if row.get("position"):
        fields["position"] = _whole(table, line, "position", row["position"])
    if with_context:
        fields["context"] = table.values(row, _CONTEXT)
    return _convert(table, line, fields, Event)


def _read_items(path: Path, ts_ms: int) -> Iterator[Item]:
    table = open_table(path, ("item_id",), (), (_FEATURE, _ATTRIBUTE))
    seen: set[str] = set()

    def check(line: int, row: Row) -> None:
        if row["item_id"] in seen:
            raise bad_row(path.name, line, "an item comes once", row["item_id"])
        seen.add(row["item_id"])

    note_rows(table, check)
    for line, row in table.rows():
        fields = {
            "item_id": row["item_id"],
            "ts_ms": ts_ms,
            "features": table.values(row, _FEATURE),
            "attributes": table.values(row, _ATTRIBUTE),
        }
        yield _convert(table, line, fields, Item)


def _whole(table: Table, line: int, name: str, cell: str) -> int:
    # isascii: isdecimal alone takes digits of every script
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= 18):
        raise bad_row(table.path.name, line, f"{name} is a whole number, 0 or more", cell)
    return int(cell)


def _convert(table: Table, line: int, fields: dict[str, object], wire_type: type[T]) -> T:
    """The wire type, checked by its own constraints."""
    try:
        return msgspec.convert(fields, wire_type)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        name = found[1] if found else ""
        rule = f"{name}: {str(error).partition(' - at ')[0]}"
        raise bad_row(table.path.name, line, rule, fields.get(name)) from error

"""Columns of a CSV file: the known ones by name, the free ones (`ctx.age`) by prefix and kind."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ops.datasets.rows import bad_row
from schemas.errors import DatasetError
from schemas.events import FeatureValue

# A JSON number that a reader of doubles keeps: not 02139, not an id of 20 digits, not 1e999.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?([eE][+-]?\d{1,2})?")
_LIST_MARK = "[]"
_LIST_SEPARATOR = "|"

Row = dict[str, str]


@dataclass
class FreeColumn:
    """One column of features. Its kind comes from all of its filled cells, once they are noted.

    `name[]` holds several categories with | between; else all numbers are numbers, all `true` and
    `false` are flags, and anything else is text.
    """

    header: str
    prefix: str
    _filled: bool = field(default=False, init=False)
    _numbers: bool = field(default=True, init=False)
    _flags: bool = field(default=True, init=False)

    @property
    def name(self) -> str:
        """Name of the feature."""
        return self.header.removeprefix(self.prefix).removesuffix(_LIST_MARK)

    def note(self, cell: str) -> None:
        """Learn from one cell; an empty one teaches nothing."""
        if cell:
            self._filled = True
            self._numbers = self._numbers and _NUMBER.fullmatch(cell) is not None
            self._flags = self._flags and cell in ("true", "false")

    def value(self, cell: str) -> FeatureValue:
        """The value of a filled cell that was noted before."""
        if self.header.endswith(_LIST_MARK):
            return [part for part in cell.split(_LIST_SEPARATOR) if part]
        if self._numbers and self._filled:
            return float(cell) if set(cell) & set(".eE") else int(cell)
        return cell == "true" if self._flags and self._filled else cell


@dataclass(frozen=True)
class Table:
    """A CSV file whose header was found good; rows are read anew each time."""

    path: Path
    free: list[FreeColumn]

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Line numbers and cells by header. Raises DatasetError with the line that is wrong."""
        name = self.path.name
        for line, cells, header in _read(self.path):
            if len(cells) != len(header):
                rule = f"a row has as many cells as the header, {len(header)}"
                raise bad_row(name, line, rule, f"{len(cells)} cells")
            yield line, dict(zip(header, cells, strict=True))

    def values(self, row: Row, prefix: str) -> dict[str, FeatureValue]:
        """The filled cells below a prefix, by feature name."""
        return {
            column.name: column.value(row[column.header])
            for column in self.free
            if column.prefix == prefix and row[column.header]
        }


def open_table(
    path: Path, required: Iterable[str], optional: Iterable[str], prefixes: Iterable[str]
) -> Table:
    """Check the header. Raises DatasetError for a missing, unknown or repeated column."""
    required, prefixes = list(required), list(prefixes)
    known = required + list(optional)
    header = next((cells for _, cells, _ in _read(path, with_header=True)), [])
    free = []
    for column in header:
        prefix = next((p for p in prefixes if column.startswith(p)), None)
        if prefix is not None and column.removesuffix(_LIST_MARK) != prefix:
            free.append(FreeColumn(column, prefix))
        elif column not in known:
            names = known + [f"{p}NAME" for p in prefixes]
            near = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]!r}? Known" if near else "known"
            msg = f"{path.name}: column {column!r} is unknown; {advice} are {', '.join(names)}"
            raise DatasetError(msg)
    features = {(column.prefix, column.name) for column in free}
    if len(set(header)) < len(header) or len(features) < len(free):
        raise bad_row(path.name, 1, "a column comes once", ",".join(header))
    missing = [column for column in required if column not in header]
    if missing:
        raise bad_row(path.name, 1, f"the header has {', '.join(missing)}", ",".join(header))
    return Table(path, free)


def note_rows(table: Table, check: Callable[[int, Row], None]) -> None:
    """Read the file once: learn the columns' kinds, and check each row."""
    for line, row in table.rows():
        for column in table.free:
            column.note(row[column.header])
        check(line, row)


def _read(path: Path, with_header: bool = False) -> Iterator[tuple[int, list[str], list[str]]]:
    """Line number, cells and header of each row that is not empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header: list[str] | None = None
            try:
                for cells in reader:
                    if not cells:
                        continue
                    if header is None:
                        header = cells
                        if not with_header:
                            continue
                    yield reader.line_num, cells, header
            except csv.Error as error:
                raise bad_row(path.name, reader.line_num, "a row is CSV", str(error)) from error
            except UnicodeDecodeError as error:
                wrong = error.object[error.start : error.end]
                raise bad_row(path.name, reader.line_num + 1, "text is UTF-8", wrong) from error
    except OSError as error:
        msg = f"a CSV file can be read; {path}: {error.strerror}"
        raise DatasetError(msg) from error

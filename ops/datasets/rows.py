"""Lines of text files, and errors that say which line broke which rule."""

from __future__ import annotations

import math
from collections.abc import Iterator

from schemas.errors import DatasetError

MAX_TS_MS = 2**53


def bad_row(file: str, line: int, rule: str, value: object) -> DatasetError:
    """The error for one line: the rule, the value that broke it, what to do."""
    return DatasetError(f"{file} line {line}: {rule}; got {value!r}; correct or remove the line")


def text_of(file: str, data: bytes, encoding: str) -> str:
    """Decoded text. Raises DatasetError, naming the line, when it is not in that encoding."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise bad_row(file, line, f"text is {encoding}", data[error.start : error.end]) from error


def split_lines(
    file: str, text: str, separator: str, columns: int, first_line: int = 1
) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of each line that is not empty.

    Only a line feed ends a line: titles may hold other separators. Raises DatasetError when a line
    has another number of cells than `columns`.
    """
    for number, line in enumerate(text.split("\n")[first_line - 1 :], first_line):
        line = line.removesuffix("\r")
        if not line:
            continue
        cells = line.split(separator)
        if len(cells) != columns:
            raise bad_row(file, number, f"a line has {columns} cells", f"{len(cells)} cells")
        yield number, cells


def number_of(file: str, line: int, name: str, text: str) -> float:
    """A finite number. Raises DatasetError otherwise."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise bad_row(file, line, f"{name} is a number", text)
    return number


def ts_ms_of_seconds(file: str, line: int, text: str) -> int:
    """Milliseconds of a time in Unix seconds. Raises DatasetError outside 0 to 2^53 ms."""
    ts_ms = int(number_of(file, line, "timestamp", text) * 1000)
    if not 0 <= ts_ms <= MAX_TS_MS:
        raise bad_row(file, line, "timestamp is in Unix seconds, 0 or later", text)
    return ts_ms

"""Files of events or samples: JSON lines, or MessagePack values one behind the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgpack

from schemas.codec import JSON, MSGPACK
from schemas.errors import DatasetError

STANDARD = "-"
"""In place of a file: standard input or output."""

FORMS = {"json": JSON, "msgpack": MSGPACK}
"""By the name that the command line gives them."""

_BY_EXTENSION = {
    ".json": JSON,
    ".jsonl": JSON,
    ".ndjson": JSON,
    ".mpk": MSGPACK,
    ".msgpack": MSGPACK,
}
_CHUNK_BYTES = 1 << 20
_LARGEST_BYTES = 2**31 - 1


class FileRecord(NamedTuple):
    """One line, or one MessagePack value."""

    number: int
    """From 1; of the line in JSON lines, where empty ones count too."""
    value: bytes
    end_bytes: int
    """How much of the file has been read with it."""


def form_of(name: str) -> str:
    """JSON or MessagePack, by the extension; JSON for standard input and output.

    Raises DatasetError for another extension.
    """
    if name == STANDARD:
        return JSON
    form = _BY_EXTENSION.get(Path(name).suffix.lower())
    if form is None:
        known = ", ".join(_BY_EXTENSION)
        msg = f"a file's form is known by its extension ({known}); got {name}; rename it"
        raise DatasetError(msg)
    return form


def read_records(file: BinaryIO, form: str) -> Iterator[FileRecord]:
    """The records of an open file, each still encoded; empty lines are passed over.

    Raises DatasetError where a MessagePack file goes on with what is no MessagePack. One that ends
    midway gives its beginning as the last record.
    """
    return _lines(file) if form == JSON else _values(file)


def ended(form: str) -> bytes:
    """What stands behind each record in a file of this form."""
    return b"\n" if form == JSON else b""


def _lines(file: BinaryIO) -> Iterator[FileRecord]:
    end_bytes = 0
    for number, line in enumerate(file, start=1):
        end_bytes += len(line)
        value = line.strip()
        if value:
            yield FileRecord(number, value, end_bytes)


def _values(file: BinaryIO) -> Iterator[FileRecord]:
    unpacker = msgpack.Unpacker(max_buffer_size=_LARGEST_BYTES)
    buffer = bytearray()  # what the unpacker has and has not yet given
    number = start = 0
    while chunk := file.read(_CHUNK_BYTES):
        unpacker.feed(chunk)
        buffer += chunk
        done = 0  # of the buffer
        while True:
            try:
                unpacker.skip()
            except msgpack.OutOfData:
                break
            except ValueError as error:
                msg = (
                    "a MessagePack file holds values one behind the other; "
                    f"value {number + 1}, at byte {start}, is none ({error!r}); cut the file there"
                )
                raise DatasetError(msg) from error
            number += 1
            size_bytes = unpacker.tell() - start
            start += size_bytes
            yield FileRecord(number, bytes(buffer[done : done + size_bytes]), start)
            done += size_bytes
        del buffer[:done]
    if buffer:
        yield FileRecord(number + 1, bytes(buffer), start + len(buffer))

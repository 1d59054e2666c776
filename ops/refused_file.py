"""Refused events of a file: written where the user wants them, else the first ones are shown."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rich.text import Text

from ops.console import err
from ops.event_files import ended, form_of
from schemas.codec import MSGPACK, encode
from schemas.dead_letters import MAX_KEPT_BYTES, DeadLetter
from schemas.errors import DatasetError
from streams.decode import Refusal

_SHOWN = 5


class RefusedFile:
    """Writes dead letters as the live labellers would; the topic is the file, the offset the line.

    Raises DatasetError when it can't be written.
    """

    def __init__(self, path: Path | None, source: str) -> None:
        self._source = source
        self._form = MSGPACK if path is None else form_of(str(path))
        self._file: BinaryIO | None = None
        self._first: list[tuple[int, Refusal]] = []
        self._count = 0
        try:
            if path is not None:
                self._file = path.open("wb")
        except OSError as error:
            msg = f"refused events are written to a file; got {path} ({error}); name another"
            raise DatasetError(msg) from error

    def add(self, number: int, refusals: Iterable[Refusal]) -> None:
        """Refusals of the record of this number."""
        for refusal in refusals:
            self._count += 1
            if self._file is not None:
                self._file.write(self._encoded(number, refusal) + ended(self._form))
            elif len(self._first) < _SHOWN:
                self._first.append((number, refusal))

    def show(self) -> None:
        """Say on stderr what was refused, where it was not written."""
        for number, refusal in self._first:
            err.print(Text(f"{self._source}:{number}: {refusal.reason}: {refusal.detail}"))
        more = self._count - len(self._first)
        if more and self._file is None:
            err.print(f"and {more:,} more; --refused FILE keeps them all")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _encoded(self, number: int, refusal: Refusal) -> bytes:
        letter = DeadLetter(
            reason=refusal.reason,
            detail=refusal.detail,
            role="label",
            topic=self._source,
            partition=0,
            offset=number,
            ts_ms=time.time_ns() // 1_000_000,
            value=refusal.value[:MAX_KEPT_BYTES],
            value_bytes=len(refusal.value),
        )
        return encode(letter, self._form)

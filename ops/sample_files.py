"""A file of samples, of which only the end says which are written."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ops.event_files import STANDARD, ended, form_of
from schemas.codec import encode
from schemas.errors import DatasetError
from schemas.samples import Sample

_SIZE_BYTES = 4


class SampleFile:
    """Gathers samples on disk and writes the chosen ones, one a line or MessagePack value.

    The file appears when it is whole; where that fails, there is none. As a context manager it
    drops what it gathered at the end.

    Raises DatasetError when it can't be written.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._form = form_of(name)
        folder = None if name == STANDARD else Path(name).absolute().parent
        try:
            # Beside the file, where there must be room for as much.
            self._gathered = tempfile.TemporaryFile(dir=folder)
        except OSError as error:
            msg = f"samples are written to a folder that is there; got {name} ({error}); make it"
            raise DatasetError(msg) from error

    def add(self, samples: Iterable[Sample]) -> None:
        """Gather these."""
        for sample in samples:
            data = encode(sample, self._form)
            self._gathered.write(len(data).to_bytes(_SIZE_BYTES, "big"))
            self._gathered.write(data)

    def write(self, chosen: Iterable[bool]) -> None:
        """Write those of all that were gathered, in their order, which are chosen."""
        if self._name == STANDARD:
            self._copy(chosen, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        path = Path(self._name)
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as file:
                self._copy(chosen, file)
            part.replace(path)
        except OSError as error:
            msg = f"samples are written whole; {self._name} was not ({error}); make room"
            raise DatasetError(msg) from error
        finally:
            part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gathered.close()

    def _copy(self, chosen: Iterable[bool], file: BinaryIO) -> None:
        end = ended(self._form)
        for data, choose in zip(self._read(), chosen, strict=True):
            if choose:
                file.write(data + end)

    def _read(self) -> Iterator[bytes]:
        self._gathered.seek(0)
        while size := self._gathered.read(_SIZE_BYTES):
            yield self._gathered.read(int.from_bytes(size, "big"))

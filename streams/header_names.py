"""Reading records whose header names are not UTF-8, as Kafka asks and no broker checks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

log = logging.getLogger(__name__)

_LENGTH = slice(8, 12)  # of a batch: its own length, less the 12 bytes up to here
_HEAD_BYTES = 12


def read_any_header_name() -> None:
    """From now on consumers of this process read every header name, escaping what is not UTF-8.

    aiokafka raises at such a name, at each poll anew, so that anyone who may write to a topic
    could stop its readers. It lets nobody choose how records are read, hence by its module.
    """
    fetcher.MemoryRecords = TolerantRecords


class TolerantRecords:
    """aiokafka's `MemoryRecords`, of what one fetch brought for a partition."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._records: Any = MemoryRecords(data)

    def size_in_bytes(self) -> int:
        """Of all its batches."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        """The next batch."""
        head = self._data[self._at : self._at + _HEAD_BYTES]
        end = self._at + _HEAD_BYTES + int.from_bytes(head[_LENGTH], "big")
        batch = _TolerantBatch(self._records.next_batch(), memoryview(self._data)[self._at : end])
        self._at = end
        return batch


class _TolerantBatch:
    """A batch of aiokafka, read again by the slow reader from where the fast one gives up."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                yield record
                read += 1
        except UnicodeDecodeError as error:
            offset = self._batch.base_offset + read
            log.warning("header_name=not_utf8 offset=%d error=%r action=escape", offset, str(error))
            yield from islice(_EscapingBatch(self._data), read, None)


class _EscapingBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's own reader in Python, which leaves the reading of one record to a method."""

    _pos: int
    """In the buffer, where the next record begins."""

    def _read_msg(self, _: object = None) -> Any:
        at = decode_varint(self._buffer, self._pos)[1]  # behind the record's length
        at += 1  # attributes, of which none is in use
        ts_delta, at = decode_varint(self._buffer, at)
        offset_delta, at = decode_varint(self._buffer, at)
        key, at = self._field(at)
        value, at = self._field(at)
        count, at = decode_varint(self._buffer, at)
        headers = []
        for _ in range(count):
            name, at = self._field(at)
            content, at = self._field(at)
            headers.append(((name or b"").decode(errors="backslashreplace"), content))
        self._pos = at
        timestamp = self.first_timestamp + ts_delta
        if self.timestamp_type == self.LOG_APPEND_TIME:
            timestamp = self.max_timestamp
        return _DefaultRecordPy(
            self.base_offset + offset_delta, timestamp, self.timestamp_type, key, value, headers
        )

    def _field(self, at: int) -> tuple[bytes | None, int]:
        """The bytes at `at`, None for a null, and where they end."""
        length, at = decode_varint(self._buffer, at)
        return (None, at) if length < 0 else (bytes(self._buffer[at : at + length]), at + length)

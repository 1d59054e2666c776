"""Every record is read, whatever its header names are; good ones exactly as aiokafka reads them."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecordsBuilder

from streams.header_names import TolerantRecords

GZIP = 1


class BadName(str):
    """A header name that an encoder writes as bytes which are not UTF-8."""

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xff\x00" + super().encode()


Written = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]


def written(batches: list[list[Written]], compression: int = 0) -> bytes:
    """Batches as they lie in a log, at consecutive offsets."""
    data = b""
    offset = 0
    for records in batches:
        builder = MemoryRecordsBuilder(2, compression, 1 << 20)
        for record in records:
            builder.append(*record)
        builder.close()
        data += offset.to_bytes(8, "big") + bytes(builder.buffer())[8:]
        offset += len(records)
    return data


def read(records: Any) -> list[tuple[Any, ...]]:
    found = []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in batch]
    return found


names = st.text(st.characters(codec="utf-8"), max_size=5)
maybe_bytes = st.none() | st.binary(max_size=5)
records = st.tuples(
    st.integers(0, 2**40),
    maybe_bytes,
    maybe_bytes,
    st.lists(st.tuples(names | names.map(BadName), st.binary(max_size=5)), max_size=3),
)


@given(st.lists(st.lists(records, min_size=1, max_size=5), max_size=4), st.sampled_from([0, GZIP]))
def test_all_records_are_read(batches: list[list[Written]], compression: int) -> None:
    expected = [
        (
            offset,
            *rest[:3],
            [
                (f"\\xff\x00{name!s}" if isinstance(name, BadName) else name, value)
                for name, value in rest[3]
            ],
        )
        for offset, rest in enumerate(one for batch in batches for one in batch)
    ]
    assert read(TolerantRecords(written(batches, compression))) == expected


@given(st.lists(st.lists(records, min_size=1, max_size=5), max_size=4))
def test_good_records_are_read_as_aiokafka_does(batches: list[list[Written]]) -> None:
    data = written([[(*r[:3], [(str(n), v) for n, v in r[3]]) for r in batch] for batch in batches])
    assert read(TolerantRecords(data)) == read(MemoryRecords(data))


def test_aiokafka_alone_gives_up() -> None:
    """When this fails, aiokafka reads such names by itself, and the module can go."""
    data = written([[(0, b"k", b"v", [(BadName("x"), b"")])]])
    with pytest.raises(UnicodeDecodeError):
        read(MemoryRecords(data))


@given(st.lists(records, min_size=1, max_size=3), st.integers(0, 40))
def test_a_cut_off_batch_is_left_for_the_next_fetch(batch: list[Written], cut: int) -> None:
    data = written([[(0, b"k", b"v", [])], batch])
    whole = read(TolerantRecords(data))
    assert read(TolerantRecords(data[: len(data) - cut])) == (whole if cut == 0 else whole[:1])

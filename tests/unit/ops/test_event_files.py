"""Records of a file come one by one, whole, with where they stand."""

from __future__ import annotations

import io

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.event_files import form_of, read_records
from schemas.codec import JSON, MSGPACK
from schemas.errors import DatasetError

values = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


class Dripping(io.BytesIO):
    """Gives a few bytes at a time, as a pipe does."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(3, size or 3))


@given(st.lists(values, max_size=20), st.sampled_from([io.BytesIO, Dripping]))
def test_messagepack_values_one_behind_the_other(
    given_values: list[object], file: type[io.BytesIO]
) -> None:
    parts = [msgpack.packb(value) for value in given_values]
    records = list(read_records(file(b"".join(parts)), MSGPACK))
    assert [record.value for record in records] == parts
    assert [record.number for record in records] == list(range(1, len(parts) + 1))
    ends = [sum(map(len, parts[: count + 1])) for count in range(len(parts))]
    assert [record.end_bytes for record in records] == ends


def test_a_file_that_ends_midway_gives_its_beginning() -> None:
    whole = msgpack.packb({"a": "b" * 50})
    records = list(read_records(io.BytesIO(whole + whole[:20]), MSGPACK))
    assert [record.value for record in records] == [whole, whole[:20]]


def test_what_is_no_messagepack_is_named_by_its_place() -> None:
    file = io.BytesIO(b"\x01\x02\xc1\x03")
    with pytest.raises(DatasetError, match="value 3, at byte 2"):
        list(read_records(file, MSGPACK))


def test_lines_are_numbered_as_an_editor_does() -> None:
    file = io.BytesIO(b'{"a": 1}\r\n\n  [2]\n{"last": "\xc2\x85"}')
    records = list(read_records(file, JSON))
    assert [(record.number, record.value) for record in records] == [
        (1, b'{"a": 1}'),
        (3, b"[2]"),
        (4, b'{"last": "\xc2\x85"}'),
    ]
    assert records[-1].end_bytes == len(file.getvalue())


def test_the_extension_tells_the_form() -> None:
    assert [form_of(name) for name in ("a.jsonl", "b.NDJSON", "c.json", "-")] == [JSON] * 4
    assert [form_of(name) for name in ("a.msgpack", "x/b.mpk")] == [MSGPACK] * 2
    with pytest.raises(DatasetError, match=r"events\.csv"):
        form_of("events.csv")

"""What comes from Kafka and Redis: item changes and user records."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_service.backend import unit
from index_service.item_changes import ItemChange, decode_change
from index_service.users import UNKNOWN, UNUSABLE, User, decode_user
from schemas.codec import JSON, encode
from schemas.errors import DecodeError
from schemas.vectors import ItemVector, UserRecord, pack_vector

VECTOR = pack_vector(np.array([0.6, 0.8], dtype=np.float32))
ITEM = ItemVector("é1", 1, 2, VECTOR, 5.0, {"positives@9": 3.0}, {"tags": ["a"], "new": True})
RECORD = UserRecord(1, 2, VECTOR, 5.0, {"positives": 0.5}, 9.0, seen=["a"])


def test_reads_both_forms_and_the_end_of_an_item() -> None:
    key = "é1".encode()
    assert decode_change(key, encode(ITEM), ()) == ItemChange("é1", ITEM)
    headers = [("content-type", b"application/json")]
    assert decode_change(key, encode(ITEM, JSON), headers) == ItemChange("é1", ITEM)
    assert decode_change(key, None, ()) == ItemChange("é1", None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, None),
        (b"", encode(ITEM)),
        (b"\xff", None),
        (b"other", encode(ITEM)),
        ("é1".encode(), b"junk"),
        ("é1".encode(), b""),
    ],
)
def test_refuses_what_states_no_change(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(DecodeError):
        decode_change(key, value, ())


@settings(deadline=None, derandomize=True)
@given(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=200))
def test_hostile_records_raise_nothing_else(key: bytes | None, value: bytes | None) -> None:
    try:
        decode_change(key, value, None)
    except DecodeError:
        pass


def test_a_user_record_is_used_only_when_it_fits() -> None:
    assert decode_user(encode(RECORD), 1, 2) == User(RECORD, "")
    assert decode_user(None, 1, 2) == User(None, UNKNOWN)
    assert decode_user(encode(RECORD), 2, 2) == User(None, UNKNOWN)
    assert decode_user(encode(RECORD), 1, 3) == User(None, UNUSABLE)
    assert decode_user(b"junk", 1, 2) == User(None, UNUSABLE)
    for broken in (
        {"scale": float("nan")},
        {"weights": {"positives": float("inf")}},
        {"similar": {"a": float("nan")}},
        {"context": {"city": {"a": float("inf")}}},
    ):
        bad = msgspec.structs.replace(RECORD, **broken)
        assert decode_user(encode(bad), 1, 2) == User(None, UNUSABLE)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_unit_has_length_one_whatever_the_size_of_the_numbers(values: list[float]) -> None:
    vector = unit(values)
    if not any(values):
        assert vector is None
    else:
        assert vector is not None
        assert np.linalg.norm(vector.astype(np.float64)) == pytest.approx(1.0, abs=1e-6)
        largest = int(np.argmax(np.abs(values)))
        assert np.sign(vector[largest]) == np.sign(values[largest])

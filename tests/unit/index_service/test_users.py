"""What recall knows of users, and of where they are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from index_service.figures import NodeFigures
from index_service.users import UNKNOWN, UNREACHABLE, UserReader, decode_context
from schemas.codec import encode
from schemas.recall import RecallRequest
from schemas.settings import Settings
from schemas.vectors import ANYONE, ContextRecord, UserRecord, context_key, pack_vector, user_key

SETTINGS = Settings()
_VECTOR = pack_vector(np.eye(1, SETTINGS.towers.dim, dtype=np.float32)[0])
HOME = {"city": {"at-home": 1.0}, "device": {"by-phone": 2.0}}


def record(**changes: Any) -> UserRecord:
    return UserRecord(1, 7, _VECTOR, 5.0, {"context:city": 1.0}, 0.0, **changes)


def context_record(items: dict[str, float], epoch: int = 1) -> ContextRecord:
    return ContextRecord(epoch, 7, items)


class Reader:
    """A `UserReader` whose Redis is a dictionary."""

    def __init__(
        self, users: Mapping[str, UserRecord], places: Mapping[str, ContextRecord]
    ) -> None:
        self.values = {user_key("penstock", 1, one): encode(each) for one, each in users.items()}
        self.values |= {
            context_key("penstock", 1, value): encode(each) for value, each in places.items()
        }
        self.figures = NodeFigures()
        self.asked: list[list[str]] = []
        self.down = False

    async def mget(self, keys: list[str]) -> list[bytes | None]:
        self.asked.append(keys)
        if self.down:
            raise OSError
        return [self.values.get(key) for key in keys]

    async def aclose(self) -> None:
        """Nothing to close."""

    def read(self, *requests: RecallRequest | None) -> Sequence[Any]:
        async def read() -> Sequence[Any]:
            reader = UserReader(SETTINGS, self.figures, lambda: 0.0)
            await reader.close()
            reader._redis = self  # type: ignore[assignment]
            return await reader.read(requests)

        return asyncio.run(read())


def test_a_users_own_context_counts_until_the_request_tells_another() -> None:
    places = {"city=Oslo": context_record({"in-oslo": 3.0})}
    reader = Reader({"ada": record(context=HOME), ANYONE: record()}, places)
    at_home, in_oslo, nowhere, bob_in_oslo, anyone_in_oslo, by_vector, unreadable = reader.read(
        RecallRequest(user_id="ada"),
        RecallRequest(user_id="ada", context={"city": "Oslo"}),
        RecallRequest(user_id="ada", context={"city": "Nowhere"}),
        RecallRequest(user_id="bob", context={"city": "Oslo"}),
        RecallRequest(item_ids=["x"], context={"city": ["Nowhere", "Oslo"]}),
        RecallRequest(vector=[1.0], context={"temperature": 3.5}),
        None,
    )
    assert at_home.record.context == HOME
    assert in_oslo.record.context == HOME | {"city": {"in-oslo": 3.0}}
    assert nowhere.record.context == HOME | {"city": {}}
    assert (bob_in_oslo.reason, bob_in_oslo.record.context) == (UNKNOWN, {"city": {"in-oslo": 3.0}})
    assert (anyone_in_oslo.reason, anyone_in_oslo.record.context["city"]) == ("", {"in-oslo": 3.0})
    assert by_vector is None  # a number is no place, unless the settings say so
    assert unreadable is None
    assert len(reader.asked) == 1
    assert len(reader.asked[0]) == len(set(reader.asked[0])) == 5
    counts = reader.figures.counts
    assert (counts["contexts_known"], counts["contexts_unknown"]) == (1, 1)


def test_without_redis_nobody_is_known_anywhere() -> None:
    reader = Reader({}, {})
    reader.down = True
    (found,) = reader.read(RecallRequest(user_id="ada", context={"city": "Oslo"}))
    assert (found.record, found.reason) == (None, UNREACHABLE)
    assert reader.figures.counts["redis_errors"] == 1


def test_nothing_is_looked_up_for_a_request_without_user_and_context() -> None:
    reader = Reader({}, {})
    assert reader.read(RecallRequest(item_ids=["x"]), None) == [None, None]
    assert reader.asked == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"\xc1",
        encode({"epoch": 1}),
        encode(context_record({"x": 1.0}, epoch=2)),
        encode(context_record({"x": math.nan})),
    ],
)
def test_a_context_record_of_no_use_says_nothing(data: bytes | None) -> None:
    assert decode_context(data, 1) == {}

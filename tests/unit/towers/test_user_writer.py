from __future__ import annotations

import logging

import pytest

from schemas.codec import Decoder
from schemas.settings import Settings
from schemas.vectors import UserRecord, user_key
from tests.unit.towers.fake_redis import FakeRedis
from towers.redis_writer import RedisWriter
from towers.user_writer import Records, UserWriter


class Rig:
    def __init__(self) -> None:
        self.now_ms = 1_000
        self.step = 0
        self.redis = FakeRedis()
        self.settings = Settings()
        self.into = RedisWriter(self.settings.redis, self.redis, lambda: self.now_ms)
        self.writer = UserWriter(self.settings, self.into, lambda: self.now_ms)

    def make(self, user_ids: list[str], now_ms: int) -> Records:
        record = UserRecord(1, self.step, b"", 5.0, {}, 0.0, refreshed_ms=now_ms)
        return [(user_id, record) for user_id in user_ids]

    def write(self) -> list[str]:
        return [user_id for user_id, _ in self.writer.write(self.make)]

    def write_patient(self) -> list[str]:
        return [user_id for user_id, _ in self.writer.write_patient(self.make)]

    def stored(self, user_id: str) -> UserRecord:
        value, ttl_s = self.redis.values[user_key("penstock", 1, user_id)]
        assert ttl_s == self.settings.redis.user_ttl_s
        return Decoder[UserRecord](UserRecord).decode(value)


def test_writes_each_user_once() -> None:
    rig = Rig()
    rig.writer.owe(["a", "b", "a"])
    assert rig.write() == ["a", "b"]
    assert rig.stored("a").refreshed_ms == 1_000
    assert not rig.writer.urgent
    assert rig.write() == []


def test_an_outage_loses_nobody_and_nothing_is_stale(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.redis.down = True
    rig.writer.owe(["a"])
    with caplog.at_level(logging.INFO):
        tries = 0
        for _ in range(600):  # a minute
            rig.now_ms += 100
            tries += rig.writer.urgent
            assert rig.write() == []
        assert rig.into.failing
        assert rig.into.errors == tries
        assert 10 < tries < 25  # it waits longer each time, up to 5 s
        rig.writer.owe(["b"])
        rig.redis.down, rig.step = False, 7
        rig.now_ms += 5_000
        assert rig.write() == ["a", "b"]
    assert rig.stored("a").step == 7
    assert not rig.into.failing and rig.writer.owed == []
    assert [record.message.split()[0] for record in caplog.records] == [
        "redis=failing",
        "redis=back",
    ]


def test_many_users_are_written_in_parts() -> None:
    rig = Rig()
    rig.writer.owe(f"u{number}" for number in range(300))
    written = [len(rig.write()) for _ in range(4)]
    assert written == [128, 128, 44, 0]
    assert len(rig.redis.values) == 300


def test_those_with_patience_wait_for_company_and_never_ride_with_those_who_act() -> None:
    rig = Rig()
    rig.writer.owe_later(["a", "b"])
    assert not (rig.writer.urgent or rig.writer.due)
    rig.now_ms += 49
    rig.writer.owe(["b", "c"])
    assert rig.write_patient() == []
    assert rig.write() == ["b", "c"]  # who acts has patience no longer
    rig.now_ms += 1
    rig.writer.owe(["d"])
    assert rig.write() == ["d"]
    assert rig.writer.due
    assert rig.write_patient() == ["a"]
    rig.writer.owe_later(f"u{number}" for number in range(31))
    assert rig.write_patient() == []
    rig.writer.owe_later(["last"])  # 32 are company enough
    assert rig.write_patient()[-1] == "last"
    assert rig.writer.owed == []


def test_those_with_patience_are_written_a_few_at_a_time() -> None:
    rig = Rig()
    rig.writer.owe_later(f"patient{number}" for number in range(40))
    assert len(rig.write_patient()) == 32
    assert rig.writer.owed[0] == "patient32"
    rig.writer.hurry()
    assert len(rig.write()) == 8


def test_those_with_patience_are_crowded_at_some_number() -> None:
    rig = Rig()
    rig.writer.owe_later(f"u{number}" for number in range(511))
    assert not rig.writer.crowded
    rig.writer.owe_later(["one more"])
    assert rig.writer.crowded
    rig.write_patient()
    assert not rig.writer.crowded


def test_of_whom_nothing_is_known_any_more_there_is_no_record() -> None:
    rig = Rig()
    rig.writer.owe(["a", "b"])
    rig.write()
    rig.writer.owe(["a", "b"])
    known = rig.make(["b"], 0)
    assert rig.writer.write(lambda user_ids, now_ms: known) == known
    assert list(rig.redis.values) == [user_key("penstock", 1, "b")]
    assert rig.writer.owed == []

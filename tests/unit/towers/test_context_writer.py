from __future__ import annotations

from schemas.codec import Decoder
from schemas.settings import Settings
from schemas.vectors import ContextRecord, context_key
from tests.unit.towers.fake_redis import FakeRedis
from towers.context_writer import ContextWriter, Records
from towers.redis_writer import RedisWriter


class Rig:
    def __init__(self) -> None:
        self.now_ms = 1_000
        self.redis = FakeRedis()
        self.settings = Settings()
        into = RedisWriter(self.settings.redis, self.redis, lambda: self.now_ms)
        self.writer = ContextWriter(self.settings, into, lambda: self.now_ms)

    def make(self, values: list[str], now_ms: int) -> Records:
        return [(value, ContextRecord(1, 0, {value: 1.0}, now_ms)) for value in values]

    def write(self, hurry: bool = False) -> bool:
        return self.writer.write(self.make, hurry)

    def stored(self, value: str) -> ContextRecord:
        data, ttl_s = self.redis.values[context_key("penstock", 1, value)]
        assert ttl_s == self.settings.redis.user_ttl_s
        return Decoder[ContextRecord](ContextRecord).decode(data)


def test_a_value_is_written_once_and_not_too_often() -> None:
    rig = Rig()
    rig.writer.owe(["city=a", "city=b", "city=a"])
    assert rig.write()
    assert rig.stored("city=a") == ContextRecord(1, 0, {"city=a": 1.0}, 1_000)
    assert rig.stored("city=b").items == {"city=b": 1.0}
    rig.writer.owe(["city=a"])
    assert not rig.write()  # too soon
    rig.now_ms += 25
    assert rig.write() and not rig.write()
    assert rig.stored("city=a").refreshed_ms == 1_025


def test_many_are_written_in_parts_and_in_a_hurry_without_a_pause() -> None:
    rig = Rig()
    rig.writer.owe(f"city={number}" for number in range(10))
    written = []
    while rig.write(hurry=True):
        written.append(len(rig.redis.values))
    assert written == [4, 8, 10]


def test_an_outage_loses_none() -> None:
    rig = Rig()
    rig.redis.down = True
    rig.writer.owe(["city=a"])
    assert not rig.write(hurry=True)
    rig.redis.down = False
    assert not rig.write(hurry=True)  # Redis is left alone for a moment
    rig.now_ms += 100
    assert rig.write()
    assert rig.stored("city=a").refreshed_ms == 1_100

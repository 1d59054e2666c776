"""A snapshot against statuses and lag that are known."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ops.dashboard.chain import readings_of
from ops.dashboard.collector import Collector
from ops.dashboard.kafka_watch import KafkaLook
from ops.dashboard.snapshot import Snapshot
from ops.lag import LagRow, lag_row, subscriptions
from ops.lag.rows import NextRecord, Offsets
from schemas.errors import RedisUnavailable
from schemas.settings import Settings
from schemas.status import ROLES, RoleStatus

NOW_MS = 1_000_000
SETTINGS = Settings(namespace="n")


class Kafka(NamedTuple):
    latest: KafkaLook


class World:
    """A clock, roles that report, and a Kafka that is read."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.figures: dict[str, dict[str, float]] = {role: {} for role in ROLES}
        self.dead: set[str] = set()
        self.redis_is_there = True
        self.end = 0
        self.waiting_ms = 0
        self.error = ""
        self.collector = Collector(
            "n", self.statuses, self, lambda _: None, lambda: NOW_MS, lambda: self.now_s
        )

    def statuses(self) -> list[RoleStatus]:
        if not self.redis_is_there:
            msg = "away"
            raise RedisUnavailable(msg)
        return [
            RoleStatus(role, "h:1", 0, int(1e3 * self.now_s), True, "", dict(self.figures[role]))
            for role in ROLES
            if role not in self.dead
        ]

    @property
    def latest(self) -> KafkaLook:
        return KafkaLook(self.rows(), None, self.error, self.now_s)

    def rows(self) -> list[LagRow]:
        late = NextRecord(NOW_MS - self.waiting_ms, None)
        return [
            lag_row(reading, 0, Offsets(0, self.end, max(0, self.end - 3)), late, NOW_MS)
            for reading in subscriptions(SETTINGS)
        ]

    def look(self) -> Snapshot:
        self.now_s += 1.0
        return self.collector.look()


def test_rates_of_every_stage_come_from_counters() -> None:
    world = World()
    for second in range(8):
        world.figures["label-positives"] = {
            "events": 700.0 * second,
            "positive": 30.0 * second,
            "signal": 10.0 * second,
        }
        world.figures["label-negatives"] = {"exposure_negative": 600.0 * second}
        world.figures["trainer"] = {"positives": 30.0 * second, "signals": 10.0 * second}
        world.figures["index"] = {"recalls": 50.0 * second, "recall_p50_ms": 9.0}
        world.end = 20 * second
        snapshot = world.look()
    stages = snapshot.stages
    expected = {
        "producers": 700,
        "events": 20,
        "label-positives": 40,
        "label-negatives": 600,
        "positives": 20,
        "trainer": 40,
        "item-vectors": 20,
        "index": 20,
        "clients": 50,
    }
    assert {name: stages[name].rate for name in expected} == pytest.approx(expected)
    assert {stage.health for stage in stages.values()} == {"ok"}
    assert (snapshot.health, snapshot.problems) == ("ok", [])
    assert snapshot.point["click_through"] == pytest.approx(30 / 660)
    assert snapshot.point["recall_p50_ms"] == 9.0


def test_a_chart_has_a_gap_where_nothing_was_measured() -> None:
    world = World()
    world.figures["index"] = {"recalls": 50.0, "recall_p50_ms": 9.0}
    for _ in range(3):
        snapshot = world.look()
    assert snapshot.point["recall_p50_ms"] is None
    assert (snapshot.health, snapshot.headline) == ("ok", "All is well")
    assert snapshot.stages["clients"].health == "idle"


def test_clicks_that_wait_for_their_users_vector_are_told_while_they_flow() -> None:
    world = World()
    for waited_ms, flowing, health in ((900.0, 1, "ok"), (1_500.0, 1, "warn"), (1_500.0, 0, "ok")):
        for _ in range(15):
            clicks = world.figures["trainer"].get("positives", 0.0) + 30 * flowing
            figures = {"positives": clicks, "click_to_user_vector_p50_ms": waited_ms}
            world.figures["trainer"] = figures
            snapshot = world.look()
        assert snapshot.health == health
        told = snapshot.headline.startswith("Look here: users: half of the clicks wait 1.5 s")
        assert told == (health == "warn"), snapshot.headline


def test_a_dead_role_is_named_and_its_lag_is_told() -> None:
    world = World()
    world.look()
    world.dead = {"label-positives"}
    for _ in range(4):
        world.now_s += 1.0
        world.end += 10
    world.waiting_ms = 8_000
    snapshot = world.look()
    stage = snapshot.stages["label-positives"]
    assert (snapshot.health, stage.health) == ("bad", "bad")
    assert stage.lag_s == 8.0
    assert snapshot.headline.startswith("1 problem: label-positives: ")


def test_lag_beyond_the_normal_warns_and_far_beyond_is_red() -> None:
    for waiting_ms, health in ((4_000, "ok"), (6_000, "warn"), (61_000, "bad")):
        world = World()
        world.end, world.waiting_ms = 10, waiting_ms
        world.look()
        assert world.look().stages["label-positives"].health == health
        # An exposure waits for its window on purpose.
        assert world.look().stages["label-negatives"].health == "ok"


def test_what_does_not_answer_is_said_and_not_guessed() -> None:
    world = World()
    world.look()
    world.error = "away"
    snapshot = world.look()
    assert snapshot.health == "bad"
    assert "Kafka does not answer" in snapshot.headline
    assert snapshot.stages["events"].health == "unknown"
    assert snapshot.stages["trainer"].health == "ok"  # Redis says so
    assert snapshot.readings == []
    world.error, world.redis_is_there = "", False
    snapshot = world.look()
    assert "Redis does not answer" in snapshot.headline
    assert snapshot.stages["trainer"].health == "unknown"


def test_a_reading_is_as_bad_as_its_worst_partition() -> None:
    reading = subscriptions(SETTINGS)[0]
    rows = [
        lag_row(reading, part, Offsets(0, 9, 9 - records), NextRecord(at_ms, None), NOW_MS)
        for part, (records, at_ms) in enumerate([(2, NOW_MS), (1, NOW_MS - 9_000), (0, 0)])
    ]
    (row,) = readings_of(rows)
    assert (row.records, row.waiting_s, row.partitions, row.health) == (3, 9.0, 3, "warn")

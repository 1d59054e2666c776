"""The trainer's turns, over topics in memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from schemas.codec import Decoder, encode
from schemas.samples import SampleBatch
from schemas.settings import Settings, TowerSettings, TrainerSettings
from schemas.vectors import UserRecord, unpack_vector, user_key
from tests.unit.towers.fake_redis import FakeRedis
from tests.unit.towers.samples import batch, sample
from towers.arrays import State, unpacked
from towers.checkpoint import CheckpointStore
from towers.core import Core, Links
from towers.inbox import Inbox, Incoming, Positions
from towers.learner import Learner, StepReport
from towers.metrics import TrainerMetrics
from towers.pieces import Pieces
from towers.published_log import ReadBack
from towers.redis_writer import RedisWriter
from towers.saver import CheckpointSaver
from towers.session import Session
from towers.vector_writer import VectorWriter

_POSITIVES, _NEGATIVES = "penstock.positives", "penstock.negatives"


class MemoryInbox(Inbox):
    """One partition of one topic, as a list."""

    def __init__(self, topic: str, position: int = 0) -> None:
        self.topic = topic
        self.records: list[bytes] = []
        self.positions: Positions = {topic: {0: position}}

    def send(self, *batches: SampleBatch) -> None:
        self.records += map(encode, batches)

    def poll(self, timeout_ms: int, max_records: int) -> list[Incoming]:
        begin = self.positions[self.topic][0]
        found = self.records[begin : begin + max_records]
        self.positions[self.topic][0] += len(found)
        return [
            Incoming(self.topic, 0, begin + number, b"", value, [])
            for number, value in enumerate(found)
        ]

    def waiting(self, topic: str | None = None) -> int:
        return len(self.records) - self.positions[self.topic][0]

    def missing_at_start(self) -> int:
        return 0

    def probe(self) -> None:
        """It answers."""

    def commit(self, positions: Positions, wait: bool) -> None:
        """Nobody watches its lag."""

    def close(self) -> None:
        """Nothing to close."""


class MemoryVectors(VectorWriter):
    """Takes every vector."""

    def __init__(self) -> None:
        self.lost = False
        self.sent = 0

    def send(self, item_id: str, value: bytes | None) -> bool:
        self.sent += 1
        return True

    def undelivered(self) -> list[str]:
        return []

    def flush(self, timeout_s: float) -> bool:
        return True

    def positions(self) -> dict[int, int]:
        return {0: self.sent}

    def close(self) -> None:
        """Nothing to close."""


class PromptSaver(CheckpointSaver):
    """Each checkpoint is on the disk before the turn ends."""

    def start(self, state: State, saved: Callable[[], None]) -> None:
        super().start(state, saved)
        self.settle(wait=True)


class Rig:
    """A session that learns 4 positives a step, and what stands around it."""

    def __init__(
        self,
        folder: Path,
        every_s: float = 1e9,
        state: State | None = None,
        position: int = 0,
        **trainer: int,
    ) -> None:
        """`trainer`: settings other than these."""
        values: dict[str, object] = {
            "batch": 4,
            "learn_every_ms": 0,
            "publish_every_ms": 100,
            "checkpoint_dir": folder,
            "checkpoint_every_s": every_s,
        }
        self.settings = Settings(
            towers=TowerSettings(dim=8, uniform_negatives=8),
            trainer=TrainerSettings.model_validate(values | trainer),
        )
        self.redis = FakeRedis()
        self.learner = Learner(self.settings)
        clock = count(0, 10)
        redis = RedisWriter(self.settings.redis, self.redis, lambda: next(clock))
        core = Core.new(self.settings, self.learner, redis, lambda: next(clock))
        if state is not None:
            self.learner.load(state["learner"])
        self.positives, self.negatives = MemoryInbox(_POSITIVES), MemoryInbox(_NEGATIVES, position)
        links = Links(self.positives, self.negatives, MemoryVectors(), ReadBack({}, set()))
        self.store = CheckpointStore(self.settings)
        saver, metrics = PromptSaver(self.store), TrainerMetrics()
        self.session = Session(self.settings, core, links, saver, metrics, lambda: 1_000)

    def figures(self) -> dict[str, float]:
        return self.learner.figures() | self.session.figures()

    def record(self, user_id: str) -> UserRecord:
        value, _ = self.redis.values[user_key("penstock", 1, user_id)]
        return Decoder[UserRecord](UserRecord).decode(value)

    def turns_until(self, name: str, value: float) -> None:
        for _ in range(2_000):
            if self.figures()[name] == value:
                return
            self.session.turn()
        pytest.fail(f"2,000 turns bring {name} to {value}; saw {self.figures()}")


def clicks(many: int, begin: int = 0) -> list[SampleBatch]:
    numbers = range(begin, begin + many)
    return [batch(sample(f"u{n}", f"i{n % 9}", f"r{n}"), offset=n) for n in numbers]


def passed_over(record: int, many: int) -> SampleBatch:
    names = (f"{record}-{number}" for number in range(many))
    return batch(*(sample("u0", f"i{record}", name, "exposure_negative") for name in names))


def written(rig: Rig) -> set[str]:
    return {key for key in rig.redis.values if "u" in key.rpartition(":")[2]}


def test_users_are_written_and_replay_goes_before_any_step_when_positives_flood_in(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    rig.positives.send(*clicks(4))
    rig.turns_until("positives", 4)
    rig.positives.send(*clicks(200, begin=4))
    rig.negatives.send(passed_over(0, 5))
    rig.session.turn()
    assert rig.figures()["pending"] == 60  # it polled 64 and learned 4
    assert len(written(rig)) == 4 + 64  # every one of them has a record
    assert rig.figures()["unreplayed"] == 12  # 16 batches behind
    assert rig.figures()["negatives"] == 0
    rig.turns_until("negatives", 5)
    assert rig.figures()["pending"] == 0
    assert (rig.figures()["overrun"], rig.figures()["positives"]) == (0, 204)
    assert len(written(rig)) == 204
    assert 12 < rig.figures()["unreplayed"] < 600  # the last batches replayed as always


def test_negatives_that_are_many_are_thinned_and_counted(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.negatives.send(*(passed_over(record, 4) for record in range(600)))
    rig.turns_until("negatives_lag_records", 0)
    figures = rig.figures()
    assert figures["negatives"] + figures["thinned_negatives"] == 2_400
    # Of 600 to 257 waiting records 256 a waiting one: 256 * ln(600 / 256) records, and the others.
    assert figures["negatives"] == pytest.approx(4 * (256 + 256 * 0.852), rel=0.1)


def test_a_checkpoint_amid_a_record_counts_each_of_its_samples_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, every_s=1e-6)
    rig.negatives.send(passed_over(0, 10), passed_over(1, 600))
    rig.turns_until("negatives", 10 + 256)
    rig.session.abandon()  # as a kill: nothing more is written
    state = rig.store.load()
    assert state is not None
    positions = unpacked(state["positions"], Positions)
    assert positions[_NEGATIVES] == {0: 1}  # the long record again
    again = Rig(tmp_path, 1e9, state, positions[_NEGATIVES][0])
    assert again.figures()["negatives"] == 10 + 256
    again.negatives.records = rig.negatives.records
    again.turns_until("negatives", 610)
    assert again.figures()["duplicates"] == 256
    again.session.finish()


def test_a_checkpoint_is_written_only_where_something_came_since(tmp_path: Path) -> None:
    rig = Rig(tmp_path, every_s=1e-6)

    def newest(turns: int) -> Path:
        """The newest file after so many turns."""
        for _ in range(turns):
            rig.session.turn()
        return max(tmp_path.rglob("checkpoint-*"))

    rig.positives.send(*clicks(8))
    learned = newest(60)  # takes in, learns and publishes all of it
    assert newest(20) == learned
    assert rig.figures()["checkpoint_age_s"] < 5
    rig.negatives.send(passed_over(0, 1))
    rig.turns_until("negatives", 1)
    assert newest(1) > learned


def test_who_does_not_act_is_kept_up_with_the_model(tmp_path: Path) -> None:
    def furthest(scan_users: int) -> float:
        """The largest distance of a record's vector from what the model says in the end."""
        rig = Rig(tmp_path / str(scan_users), scan_users=scan_users)
        for begin in range(0, 640, 20):
            rig.positives.send(*clicks(20, begin))
            rig.turns_until("positives", begin + 20)
            rig.turns_until("pending", 0)
        ids = rig.learner.world.users.ids()
        vectors = zip(ids, rig.learner.embed_users(ids), strict=True)
        return max(float(1 - unpack_vector(rig.record(name).vector) @ now) for name, now in vectors)

    # Each of the 160 steps looks at 64 of 640 users: the last time was some 10 steps ago.
    kept_up, left = furthest(64), furthest(0)
    assert kept_up < 0.1 < 0.2 < left


def test_a_user_who_makes_room_has_no_record_any_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path, users=10)
    rig.positives.send(*clicks(12))
    rig.turns_until("forgotten_users", 2)
    rig.turns_until("pending", 0)
    for _ in range(20):
        rig.session.turn()
    rig.session.finish()
    assert written(rig) == {user_key("penstock", 1, f"u{number}") for number in range(2, 12)}
    assert rig.figures()["users"] == 10


def test_a_new_item_is_published_at_once_and_what_moved_later(tmp_path: Path) -> None:
    rig = Rig(tmp_path, publish_every_ms=3_600_000)
    rig.positives.send(*clicks(40))
    rig.turns_until("positives", 40)
    rig.turns_until("pending", 0)
    published = rig.figures()["publishes"]
    assert published == 9  # each item once: the next look at what moved is an hour away
    rig.positives.send(batch(sample("u1", "new", "r41"), offset=41))
    rig.turns_until("publishes", published + 1)


def test_who_acts_while_a_step_is_learned_has_a_record_before_it_is_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path, batch=64)
    learning = rig.learner.learning
    seen: list[int] = []

    def learning_while_they_act(batch: int, replay: float) -> Pieces[StepReport | None]:
        pieces = learning(batch, replay)
        for _ in range(10):
            next(pieces)
            seen.append(len(written(rig)))
            rig.positives.send(*clicks(1, begin=39 + len(seen)))
            yield
        return (yield from pieces)

    rig.learner.learning = learning_while_they_act  # type: ignore[method-assign, assignment]
    rig.positives.send(*clicks(40))
    rig.session.turn()
    assert rig.learner.step == 1
    assert seen == list(range(40, 50))  # whoever acted before a piece has a record after it

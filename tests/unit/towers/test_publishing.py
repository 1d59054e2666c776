from __future__ import annotations

import numpy as np

from schemas.codec import Decoder
from schemas.events import Item
from schemas.settings import Settings, TowerSettings, TrainerSettings
from schemas.vectors import ItemVector, unpack_vector
from tests.unit.towers.samples import batch, sample
from towers.learner import Learner
from towers.publisher import Publisher
from towers.publishing import AT_LEAST, AT_ONCE, BUDGET_MS, Publishing

_BATCH = 128


class Topic:
    """`item-vectors` as a dict, with room for so many records."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.items: dict[str, ItemVector] = {}
        self.room = room
        self.records = 0
        self.lost: list[str] = []

    def send(self, item_id: str, value: bytes | None) -> bool:
        if self.records >= self.room:
            return False
        self.records += 1
        if value is None:
            self.items.pop(item_id, None)
        else:
            self.items[item_id] = Decoder[ItemVector](ItemVector).decode(value)
        return True

    def undelivered(self) -> list[str]:
        lost, self.lost = self.lost, []
        return lost


class Rig:
    """A learner that publishes to a topic, with a clock that stands still."""

    def __init__(self, topic: Topic, scan_every: int = 4, uniform_negatives: int = 256) -> None:
        settings = Settings(
            towers=TowerSettings(dim=8, uniform_negatives=uniform_negatives),
            trainer=TrainerSettings(scan_every_steps=scan_every),
        )
        self.settings = settings.trainer
        self.now_ms = 0.0
        self.topic = topic
        self.learner = Learner(settings)
        self.publisher = Publisher(settings)
        self.publishing = Publishing(
            self.learner, self.publisher, topic, lambda: round(self.now_ms)
        )

    def assert_within(self, eps: float) -> None:
        """What the topic holds is what the learner would say now, but for eps."""
        rows = np.arange(len(self.learner.vectors))
        self.learner.refresh(rows)
        now = self.learner.current()
        ids = self.learner.world.catalogue.ids
        assert set(self.topic.items) == {ids[row] for row in rows if now.alive[row]}
        for row in rows[now.alive]:
            served = unpack_vector(self.topic.items[ids[row]].vector)
            assert 1 - float(served @ now.vectors[row]) <= eps + 1e-6


def items(count: int) -> list[Item]:
    return [Item(f"i{n}", 1, features={"category": f"c{n % 5}"}) for n in range(count)]


def test_whatever_happens_the_index_is_within_the_bound_after_a_scan() -> None:
    rig = Rig(Topic())
    rig.learner.put_items(items(40))
    random = np.random.default_rng(0)
    for step in range(60):
        item = f"i{random.integers(50)}"  # some that no record described
        rig.learner.observe([batch(sample(f"u{step % 7}", item, str(step)), offset=step)])
        rig.publishing.publish(int(rig.learner.learn_many(_BATCH) is not None))
        if step == 30:
            rig.learner.delete_items(["i3", "i4"])
    for _ in range(2 * rig.settings.scan_every_steps):
        rig.publishing.publish(steps=1)
    rig.assert_within(rig.settings.scan_eps)
    assert rig.topic.records < 60 * 40  # and not by sending everything always
    assert rig.publisher.drift_max <= rig.settings.scan_eps


def test_a_scan_finds_what_drifted_through_features_alone() -> None:
    rig = Rig(Topic(), uniform_negatives=0)
    rig.learner.put_items(items(40))
    rig.publishing.publish(steps=0)
    before = rig.topic.items["i35"].vector
    for step in range(80):
        rig.learner.observe([batch(sample(f"u{step % 7}", f"i{step % 30}", str(step)))])
        rig.learner.learn_many(_BATCH)
    for _ in range(2 * rig.settings.scan_every_steps):
        rig.publishing.publish(steps=1)
    assert rig.topic.items["i35"].vector != before  # nobody touched it
    rig.assert_within(rig.settings.scan_eps)


def test_a_new_item_and_a_change_of_attributes_are_sent_at_once() -> None:
    rig = Rig(Topic())
    rig.learner.put_items(items(3))
    rig.publishing.publish(steps=0)
    assert set(rig.topic.items) == {"i0", "i1", "i2"}
    rig.learner.put_items([Item("i1", 2, {"category": "c1"}, {"city": "x"}, available=False)])
    rig.publishing.publish(steps=0)
    assert rig.topic.items["i1"].attributes == {"city": "x"}
    assert not rig.topic.items["i1"].available
    assert rig.topic.records == 4
    rig.publishing.publish(steps=0)
    assert rig.topic.records == 4


def test_what_finds_no_room_waits() -> None:
    rig = Rig(Topic(room=5))
    rig.learner.put_items(items(8))
    rig.publishing.publish(steps=0)
    assert (len(rig.topic.items), rig.publishing.waiting) == (5, 3)
    rig.topic.room = 100
    rig.publishing.publish(steps=0)
    assert (len(rig.topic.items), rig.publishing.waiting) == (8, 0)
    assert rig.topic.records == 8


def test_a_turn_sends_a_bounded_number_for_a_bounded_time() -> None:
    rig = Rig(Topic())
    rig.learner.put_items(items(AT_ONCE + 10))
    rig.publishing.publish(steps=0)
    assert (rig.topic.records, rig.publishing.waiting) == (AT_ONCE, 10)

    class SlowTopic(Topic):
        def send(self, item_id: str, value: bytes | None) -> bool:
            slow.now_ms += BUDGET_MS
            return super().send(item_id, value)

    slow = Rig(SlowTopic())
    slow.learner.put_items(items(20))
    slow.publishing.publish(steps=0)
    assert (slow.topic.records, slow.publishing.waiting) == (AT_LEAST, 20 - AT_LEAST)


def test_what_did_not_arrive_is_sent_again() -> None:
    rig = Rig(Topic())
    rig.learner.put_items(items(3))
    rig.publishing.publish(steps=0)
    del rig.topic.items["i2"]
    rig.topic.lost = ["i2", "unknown"]
    rig.publishing.publish(steps=0)
    assert set(rig.topic.items) == {"i0", "i1", "i2"}
    assert rig.topic.records == 4


def test_a_deletion_is_sent_once_and_strangers_go() -> None:
    rig = Rig(Topic())
    rig.learner.put_items(items(2))
    rig.publishing.publish(steps=0)
    rig.learner.delete_items(["i0"])
    for _ in range(3):
        rig.publishing.publish(steps=1)
    assert (set(rig.topic.items), rig.topic.records) == ({"i1"}, 3)
    rig.topic.room = 3
    assert rig.publishing.delete({"stranger"}) == {"stranger"}
    rig.topic.room = 4
    assert rig.publishing.delete({"stranger"}) == set()


def test_the_rate_is_over_ten_seconds() -> None:
    rig = Rig(Topic())
    rig.learner.put_items(items(20))
    rig.publishing.publish(steps=0)
    assert rig.publishing.per_second() == 2.0
    rig.now_ms += 10_001
    assert rig.publishing.per_second() == 0.0


def test_what_is_new_goes_before_what_moved() -> None:
    rig = Rig(Topic(room=45))
    rig.learner.put_items(items(40))
    rig.publishing.publish(steps=0)
    for step in range(80):
        rig.learner.observe([batch(sample(f"u{step % 7}", f"i{step % 30}", str(step)))])
        rig.learner.learn_many(_BATCH)
    rig.publishing.publish(steps=rig.settings.scan_every_steps)
    assert (rig.topic.records, rig.topic.room) == (45, 45)
    waiting = rig.publishing.waiting
    assert waiting > 1
    rig.learner.put_items([Item("new", 1), Item("i39", 2, {"category": "c4"}, {"city": "x"})])
    rig.learner.observe([batch(sample("u1", "named", "81"))])
    rig.learner.delete_items(["i38"])
    rig.topic.room = 49
    rig.publishing.publish_new()
    assert "new" in rig.topic.items and "named" in rig.topic.items
    assert "i38" not in rig.topic.items
    assert rig.topic.items["i39"].attributes == {"city": "x"}
    assert waiting - 1 <= rig.publishing.waiting <= waiting  # i39 may have been one of them
    rig.topic.room = 1_000
    while rig.publishing.waiting:
        rig.publishing.go_on()
    rig.assert_within(rig.settings.scan_eps)

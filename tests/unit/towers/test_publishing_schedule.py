from __future__ import annotations

import math

import pytest

from schemas.events import Item
from schemas.settings import TrainerSettings
from tests.unit.towers.samples import batch, sample
from tests.unit.towers.test_publishing import Rig, Topic, items
from towers.publishing import AT_LEAST, BUDGET_MS
from towers.publishing_schedule import SEND_EVERY_S, SEND_FOR_S, PublishingSchedule

_ITEMS = 400
_EVERY_S = 3.0


class SlowTopic(Topic):
    """Each vector takes a quarter of a call's time."""

    rig: Rig

    def send(self, item_id: str, value: bytes | None) -> bool:
        self.rig.now_ms += BUDGET_MS / 4
        return super().send(item_id, value)


@pytest.fixture
def topic() -> SlowTopic:
    return SlowTopic()


@pytest.fixture
def rig(topic: SlowTopic) -> Rig:
    made = topic.rig = Rig(topic)
    made.learner.put_items(items(_ITEMS))
    return made


@pytest.fixture
def schedule(rig: Rig) -> PublishingSchedule:
    settings = TrainerSettings(publish_every_ms=round(1e3 * _EVERY_S))
    return PublishingSchedule(settings, rig.publishing, lambda: rig.now_ms / 1e3)


def test_many_go_at_a_time_with_others_served_in_between_and_then_it_pauses(
    rig: Rig, topic: SlowTopic, schedule: PublishingSchedule
) -> None:
    assert schedule.left_s == math.inf
    schedule.note_step()
    schedule.turn(lambda: None)  # looks, and sends what one call has room for
    assert topic.records == AT_LEAST
    served: list[int] = []
    assert schedule.left_s <= 0
    schedule.turn(lambda: served.append(topic.records))
    calls = math.ceil(1e3 * SEND_FOR_S / (AT_LEAST * BUDGET_MS / 4))
    assert topic.records == (1 + calls) * AT_LEAST
    assert served == [(2 + call) * AT_LEAST for call in range(calls - 1)]
    paused_s = schedule.left_s
    assert 0 < paused_s < SEND_EVERY_S
    schedule.turn(lambda: None)
    assert topic.records == (1 + calls) * AT_LEAST
    rig.now_ms += 1e3 * paused_s
    schedule.turn(lambda: None)
    assert topic.records == (1 + 2 * calls) * AT_LEAST


def test_what_is_new_goes_at_once_while_others_wait(
    rig: Rig, topic: SlowTopic, schedule: PublishingSchedule
) -> None:
    rest: list[int] = []

    def meanwhile() -> None:
        if rig.learner.world.catalogue.row("new") is None:
            rig.learner.put_items([Item("new", 1)])
            schedule.send_new()
            assert "new" in topic.items
            rest.append(_ITEMS + 1 - len(topic.items))

    schedule.turn(meanwhile)
    schedule.turn(meanwhile)
    assert rest[0] > rig.publishing.waiting > 0  # it went on with the others after it


def test_what_a_step_may_have_named_goes_before_others_go_on(
    rig: Rig, topic: SlowTopic, schedule: PublishingSchedule
) -> None:
    schedule.turn(lambda: None)
    schedule.turn(lambda: None)
    rig.learner.observe([batch(sample("u1", "named", "r1"))])
    schedule.turn(lambda: None)
    assert schedule.left_s > 0 and "named" not in topic.items
    schedule.note_step()
    schedule.turn(lambda: None)
    assert "named" in topic.items


def test_a_look_comes_once_its_time_is_there_and_all_of_the_last_one_went(
    rig: Rig, topic: SlowTopic, schedule: PublishingSchedule
) -> None:
    def turns_until_all_went() -> None:
        while rig.publishing.waiting:
            rig.now_ms += 1e3 * max(0.0, schedule.left_s)
            schedule.turn(lambda: None)

    schedule.turn(lambda: None)
    turns_until_all_went()
    assert set(topic.items) == {f"i{number}" for number in range(_ITEMS)}
    rig.learner.delete_items(["i1"])
    began_ms = rig.now_ms
    while "i1" in topic.items:
        rig.now_ms += 10
        schedule.turn(lambda: None)
        assert rig.now_ms < began_ms + 1e3 * _EVERY_S
    assert rig.now_ms >= 1e3 * _EVERY_S  # nobody noted it as news

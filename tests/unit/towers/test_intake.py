from __future__ import annotations

import logging

import pytest

from schemas.codec import CONTENT_TYPE, JSON, encode
from schemas.events import Item
from schemas.settings import Settings, TowerSettings
from tests.unit.towers.samples import batch, sample
from towers.inbox import Incoming
from towers.intake import Intake
from towers.learner import Learner


def record(
    topic: str, value: bytes | None, offset: int = 0, key: bytes = b"k", form: str = ""
) -> Incoming:
    headers: list[tuple[str, bytes | None]] = [(CONTENT_TYPE, form.encode())] if form else []
    return Incoming(topic, 1, offset, key, value, headers)


def test_items_come_before_samples_and_in_their_order() -> None:
    learner = Learner(Settings(towers=TowerSettings(dim=4)))
    users = Intake(learner, "items").take(
        [
            record("positives", encode(batch(sample("u", "a", "1")))),
            record("items", encode(Item("a", 1, {"category": "x"})), key=b"a"),
            record("items", encode(Item("b", 1)), key=b"b"),
            record("items", None, key=b"b"),
            record("items", encode(Item("c", 1)), key=b"c"),
            record("items", None, key=b"c"),
            record("items", encode(Item("c", 2), JSON), key=b"c", form=JSON),
        ]
    )
    assert users == ["u"]
    assert learner.world.catalogue.ids == ["a", "b", "c"]
    assert learner.current().alive.tolist() == [True, False, True]


@pytest.mark.parametrize("value", [b"\xc1", b"", None, b"{}"])
def test_what_cannot_be_decoded_is_left_out(
    value: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    learner = Learner(Settings(towers=TowerSettings(dim=4)))
    intake = Intake(learner, "items")
    good = record("positives", encode(batch(sample("u", "a", "1"))), offset=8)
    with caplog.at_level(logging.WARNING):
        assert intake.take([record("positives", value, offset=7), good]) == ["u"]
    assert intake.undecodable == 1
    assert "topic=positives partition=1 offset=7" in caplog.text

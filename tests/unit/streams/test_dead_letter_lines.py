"""A flood of refused events: all are dead letters, a few are log lines, all are counted."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from ops.logs import Sparing
from schemas.codec import encode
from schemas.settings import Settings
from streams.labellers import PositivesLabeller
from tests.support.simulated_kafka import Delivery, Message, SimulatedOutbox

NOW_MS = 1_700_000_000_000
BAD = {"action": "stare", "user_id": "u", "item_id": "i", "request_id": "r", "ts_ms": NOW_MS}


def test_a_flood_of_refused_events(caplog: pytest.LogCaptureFixture) -> None:
    outbox = SimulatedOutbox()
    labeller = PositivesLabeller(
        Settings.model_construct(namespace="t"), "label-positives", lambda: NOW_MS, outbox
    )
    labeller.assign({0})
    with caplog.at_level(logging.WARNING, "streams"):
        for offset in range(50):
            message = Message(0, offset, encode([BAD] * 20))
            labeller.handle(cast(Any, Delivery(message, lambda: None)))
    assert len(outbox.flights) == 1_000
    assert labeller.counts["dead_letters"] == labeller.counts["refused_unknown_action"] == 1_000

    sparing = Sparing()
    shown = []
    for number, line in enumerate(caplog.records):
        line.created = 100.0 + number / 500  # two seconds of flood
        if sparing.filter(line):
            shown.append(line.getMessage())
    assert len(shown) == 20
    assert all(line.startswith("dead_letter=unknown_action topic=") for line in shown)
    assert shown[10].endswith(" kept_back=490")

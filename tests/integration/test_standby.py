"""Two trainers of one epoch on a real Kafka: one works, the other takes over."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from ops.children import Child, stop_children
from ops.role_status import read_statuses
from schemas.codec import Decoder
from schemas.events import Item
from schemas.status import RoleStatus
from schemas.topics import ITEM_VECTORS
from schemas.vectors import ItemVector
from tests.support.live import Live
from tests.support.polling import eventually
from tests.support.scenarios import catalogue

_STANDBY = "standby: another trainer of this epoch leads"


@pytest.fixture
def second(live: Live) -> Iterator[Child]:
    child = live.stack.start_another("trainer", "trainer-b")
    try:
        yield child
    finally:
        stop_children([child], grace_s=10)


def test_a_standby_takes_over_and_each_positive_is_learned_once(live: Live, second: Child) -> None:
    first = live.stack.role("trainer")
    items = live.put_items(catalogue("standby", ("a",), 6))
    _await(live, second, lambda status: status.reason == _STANDBY, "the second stands by")
    learned = live.figure("trainer", "positives")
    for visit in range(10):
        live.visit(f"standby-{visit}", items, [items[visit % 6]])
    eventually(
        lambda: live.figure("trainer", "positives"),
        lambda found: found == learned + 10,
        "ten positives learned by the leader",
    )
    standing_by = _status(live, second)
    assert standing_by is not None
    assert not standing_by.ready

    first.kill()
    for visit in range(10, 15):
        event = live.visit(f"standby-{visit}", items, [items[visit % 6]])[-1]
        live.await_refreshed(f"standby-{visit}", event.ts_ms)
    _await(
        live,
        second,
        lambda status: status.ready and status.figures.get("positives") == learned + 15,
        "fifteen positives learned in all, by the checkpoint and the second trainer",
    )

    # The first comes back as the standby, and leads again at once when the second leaves.
    first = live.stack.start_role("trainer")
    _await(live, first, lambda status: status.reason == _STANDBY, "the first stands by")
    stop_children([second], grace_s=20)
    event = live.visit("standby-15", items, [items[0]])[-1]
    live.await_refreshed("standby-15", event.ts_ms)
    _await(
        live,
        first,
        lambda status: status.ready and status.figures.get("positives") == learned + 16,
        "sixteen positives learned in all",
    )


def test_a_frozen_leader_that_thaws_publishes_nothing_and_stands_by(
    live: Live, second: Child
) -> None:
    first = live.stack.role("trainer")
    items = live.put_items(catalogue("frozen", ("a",), 6))
    _await(live, second, lambda status: status.reason == _STANDBY, "the second stands by")
    before = live.figure("trainer", "positives")
    live.visit("frozen-0", items, items[:1])
    learned = before + 1
    _await(
        live,
        first,
        lambda status: status.figures.get("positives") == learned,
        "the first has learned one more",
    )

    os.killpg(first.pid, signal.SIGSTOP)
    try:
        event = live.visit("frozen-1", items, items[:1])[-1]
        live.await_refreshed("frozen-1", event.ts_ms)
        _await(
            live,
            second,
            lambda status: (
                status.ready
                and status.figures.get("positives") == learned + 1
                and status.figures.get("pending") == 0
            ),
            "the second leads, and has learned all",
        )
        # Nothing is learned from here on, so it is published once, unless the first does it too: as
        # news, at once when it thaws.
        live.put_items([Item("came-meanwhile", 1, {"category": "a"})])
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    _await(live, first, lambda status: status.reason == _STANDBY, "the first stands by")
    decoder = Decoder[ItemVector](ItemVector)
    published = [
        vector
        for value in live.read_all(ITEM_VECTORS)
        if value and (vector := decoder.decode(value)).item_id == "came-meanwhile"
    ]
    assert len(published) == 1
    event = live.visit("frozen-2", items, items[1:2])[-1]
    live.await_refreshed("frozen-2", event.ts_ms)
    _await(
        live,
        second,
        lambda status: status.figures.get("positives") == learned + 2,
        "the second has learned what came while the first was frozen, and since",
    )


def _status(live: Live, child: Child) -> RoleStatus | None:
    found = [
        status
        for status in read_statuses(live.settings)
        if status.role == "trainer" and status.instance.endswith(f":{child.pid}")
    ]
    return found[0] if found else None


def _await(live: Live, child: Child, met: Callable[[RoleStatus], bool], what: str) -> None:
    eventually(
        lambda: _status(live, child),
        lambda status: status is not None and met(status),
        what,
    )

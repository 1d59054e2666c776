"""SIGTERM: each role ends in the time that docs/operating.md states, and leaves all in order."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from ops.children import Child
from ops.stack import Stack
from schemas.events import Item
from schemas.status import ROLES, Role
from schemas.topics import EVENTS, POSITIVES, topic_name
from tests.functional.conftest import embedded_settings
from tests.support.live import Live, now_ms

STOP_S = 20.0
"""What docs/operating.md states."""


def stop(child: Child) -> float:
    """Ask it to stop; the seconds until it has ended by itself."""
    began_s = time.monotonic()
    child.ask_to_stop()
    child.wait(began_s + STOP_S)
    took_s = time.monotonic() - began_s
    assert took_s < STOP_S, f"{child.name} was killed after {STOP_S} s"
    return took_s


def committed(live: Live, group: str, topic: str) -> dict[int, int]:
    consumer = KafkaConsumer(
        bootstrap_servers=live.settings.kafka.bootstrap_servers,
        group_id=topic_name(live.settings.namespace, group),
        enable_auto_commit=False,
    )
    try:
        name = topic_name(live.settings.namespace, topic)
        parts = [TopicPartition(name, n) for n in range(live.settings.topics.partitions)]
        return {part.partition: consumer.committed(part) or 0 for part in parts}
    finally:
        consumer.close()


def ends(live: Live, topic: str) -> dict[int, int]:
    consumer = KafkaConsumer(bootstrap_servers=live.settings.kafka.bootstrap_servers)
    try:
        name = topic_name(live.settings.namespace, topic)
        parts = [TopicPartition(name, n) for n in range(live.settings.topics.partitions)]
        return {part.partition: end for part, end in consumer.end_offsets(parts).items()}
    finally:
        consumer.close()


@pytest.mark.parametrize(
    ("role", "topic", "group"),
    [("label-positives", EVENTS, "label-positives"), ("trainer", POSITIVES, "trainer")],
)
def test_what_was_done_is_committed_when_a_role_stops(
    live: Live, role: Role, topic: str, group: str
) -> None:
    shown = live.put_items([Item(f"stop-{n}", now_ms()) for n in range(4)])
    for number in range(5):
        user = f"stop-{role}-{number}"
        last = live.visit(user, shown, [shown[0]])[-1]
        live.await_refreshed(user, last.ts_ms)
    stop(live.stack.role(role))
    assert committed(live, group, topic) == ends(live, topic)
    live.stack.start_role(role)
    live.stack.wait_ready()


def test_roles_stop_in_time_also_when_the_broker_is_gone(tmp_path: Path) -> None:
    with Stack(embedded_settings(tmp_path), kafka_port=0, redis_port=0) as stack:
        broker = stack._broker
        assert broker is not None
        broker.kill()
        for role in ROLES:
            stack.role(role).ask_to_stop()
        took = {role: stop(stack.role(role)) for role in ROLES}
        assert max(took.values()) < STOP_S

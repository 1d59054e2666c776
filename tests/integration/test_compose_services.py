"""What docker-compose.yml starts works: its commands, environment and health checks, run here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index_service import RecallClient
from ops.stack import with_addresses
from schemas.events import Event, Item
from schemas.settings import Settings
from schemas.status import ROLES
from streams import EventProducer
from tests.support.composed import Composed
from tests.support.live import now_ms
from tests.support.polling import eventually
from tests.support.servers import KAFKA_HOME, REDIS_SERVER


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    if KAFKA_HOME is None:
        pytest.skip("KAFKA_HOME is not set; it names an unpacked Apache Kafka")
    if REDIS_SERVER is None:
        pytest.skip("needs redis-server on PATH")
    folder: Path = tmp_path_factory.mktemp("compose")
    services = Composed(folder)
    try:
        services.kafka.start()
        services.start_redis()
        yield services
    finally:
        services.stop()


def test_each_service_starts_grows_healthy_and_together_they_recall(composed: Composed) -> None:
    def grows_healthy(service: str) -> None:
        eventually(
            lambda: composed.check_health(service),
            lambda ran: ran.returncode == 0,
            f"{service} is healthy",
        )

    grows_healthy("kafka")
    created = composed.run("topics")
    assert created.returncode == 0, created.stderr
    for role in ROLES:
        assert composed.check_health(role).returncode != 0, f"{role} does not run yet"
        composed.start(role)
    for role in ROLES:
        grows_healthy(role)

    settings = with_addresses(Settings(), *composed.addresses)
    with EventProducer(settings) as producer, RecallClient(settings) as client:
        for number in range(3):
            producer.put_item(Item(f"cup-{number}", now_ms(), {"kind": "tea"}))
        producer.send(Event("click", "ada", "cup-0", "request-1", now_ms()))
        producer.flush()
        reply = eventually(
            lambda: client.recall("ada", k=3, timeout_s=5),
            lambda found: found.status == "ok" and len(found.items) == 2,
            "the two cups that ada has not seen",
        )
    assert {item.item_id for item in reply.items} == {"cup-1", "cup-2"}

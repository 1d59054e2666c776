"""What `rpc` asks: an index node with items and users, an echo, and a broker for both."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from kafka import KafkaProducer

from index_service import RecallClient
from ops.broker import admin, create_topics
from ops.children import Child, stop_children
from ops.embedded import HOST, accepts_connections, embedded_command
from ops.role_status import connect, read_statuses
from ops.stack import Stack, environment, with_addresses
from schemas.codec import encode
from schemas.errors import RecallTimeout
from schemas.score import RECENT, SIMILAR, TAKEN, count_names
from schemas.settings import EmbeddedSettings, Settings
from schemas.topics import ITEM_VECTORS, topic_name, topic_specs
from schemas.vectors import Float32Array, ItemVector, UserRecord, pack_vector, user_key
from tests.benchmarks import echo
from tests.support.polling import eventually
from tests.support.servers import free_port

_SEEN = 50
_USERS_TTL_S = 600
_GRACE_S = 10
_ROOT = Path(__file__).parents[2]


class Callers(NamedTuple):
    """One client of each side; every call of either gets ten items."""

    echo: RecallClient
    recall: RecallClient


@contextmanager
def running(settings: Settings, folder: Path, items: int, users: int) -> Iterator[Callers]:
    """Both sides on the Kafka and Redis of the settings, with topics that go at the end."""
    name = f"benchmark-{uuid.uuid4().hex[:8]}"
    recall_side = settings.model_copy(
        update={"namespace": name, "embedded": EmbeddedSettings(data_dir=folder)}
    )
    echo_side = recall_side.model_copy(update={"namespace": f"{name}-echo"})
    with ExitStack() as closing:
        for side in (recall_side, echo_side):
            closing.enter_context(_topics(side))
        _fill(recall_side, items, users)
        node = Stack(recall_side, external=True)
        closing.callback(node.stop)
        node.start_role("index")
        command = [sys.executable, "-m", echo.__name__]
        env = environment(echo_side) | {"PYTHONPATH": str(_ROOT)}
        echoing = Child("echo", command, folder / "logs" / "echo.log", env)
        closing.callback(stop_children, [echoing], _GRACE_S)
        eventually(lambda: _items_ready(node), lambda n: n == items, "the index node has all items")
        callers = Callers(
            closing.enter_context(RecallClient(echo_side)),
            closing.enter_context(RecallClient(recall_side)),
        )
        for caller in callers:
            _await_answers(caller)
        yield callers


@contextmanager
def embedded_broker(settings: Settings, folder: Path) -> Iterator[Settings]:
    """The settings with a broker of this block's own."""
    kafka, redis = free_port(), free_port()
    data = folder / "broker"
    data.mkdir(parents=True)
    broker = Child("broker", embedded_command(data, kafka, redis), folder / "logs" / "broker.log")
    try:
        eventually(
            lambda: accepts_connections(kafka) and accepts_connections(redis),
            bool,
            "the embedded broker listens",
        )
        yield with_addresses(settings, f"{HOST}:{kafka}", f"redis://{HOST}:{redis}/0")
    finally:
        stop_children([broker], _GRACE_S)


@contextmanager
def _topics(settings: Settings) -> Iterator[None]:
    create_topics(settings)
    try:
        yield
    finally:
        with admin(settings) as client:
            client.delete_topics([spec.name for spec in topic_specs(settings)])


def _fill(settings: Settings, items: int, users: int) -> None:
    """Random unit vectors, as the trainer would publish them."""
    chance = np.random.default_rng(0)
    epoch, dim = settings.towers.epoch, settings.towers.dim

    def vectors(count: int) -> Iterator[Float32Array]:
        drawn = chance.standard_normal((count, dim), np.float32)  # (count, dim)
        yield from drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    names = count_names(settings.towers.trend_half_lives)
    weights = dict.fromkeys([*names, SIMILAR, RECENT, TAKEN], 0.3)
    producer = KafkaProducer(**settings.kafka.client_options(), linger_ms=20)
    topic = topic_name(settings.namespace, ITEM_VECTORS)
    for number, vector in enumerate(vectors(items)):
        item = ItemVector(
            item_id=f"i{number}",
            epoch=epoch,
            step=1,
            vector=pack_vector(vector),
            trend_clock=1_000.0,
            counts={name: float(chance.integers(50)) for name in names},
            attributes={"city": f"c{number % 10}"},
        )
        producer.send(topic, encode(item), key=item.item_id.encode())
    producer.flush()
    producer.close()
    with connect(settings.redis) as redis:
        for number, vector in enumerate(vectors(users)):
            seen = [f"i{(number + step) % items}" for step in range(min(_SEEN, items // 2))]
            user = UserRecord(
                epoch=epoch,
                step=1,
                vector=pack_vector(vector),
                scale=1 / settings.towers.tau,
                weights=weights,
                trend_clock=1_000.0,
                latest=seen[:20],
                seen=seen,
                similar={f"i{(number + step) % items}": 0.5 for step in range(100)},
            )
            key = user_key(settings.namespace, epoch, f"u{number}")
            redis.set(key, encode(user), ex=_USERS_TTL_S)


def _items_ready(node: Stack) -> float:
    node.role("index").check()
    figures = [s.figures for s in read_statuses(node.settings) if s.role == "index" and s.ready]
    return figures[0]["items"] if figures else 0.0


def _await_answers(client: RecallClient) -> None:
    def status() -> str:
        try:
            return client.recall("u0").status
        except RecallTimeout as error:
            return str(error)

    eventually(status, lambda seen: seen == "ok", "a call is answered")

"""What `rpc` asks: an index node with items and users, an echo, and a broker for both."""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from kafka import KafkaProducer

from index_service import RecallClient
from ops.broker import create_topics, delete_topics
from ops.children import Child, stop_children
from ops.pace import Pace
from ops.role_status import connect, read_statuses
from ops.stack import Stack, environment
from schemas.codec import encode
from schemas.errors import RecallTimeout
from schemas.score import RECENT, SIMILAR, TAKEN, count_names
from schemas.settings import EmbeddedSettings, Settings
from schemas.topics import ITEM_VECTORS, topic_name
from schemas.vectors import Float32Array, ItemVector, UserRecord, pack_vector, user_key
from tests.benchmarks import echo
from tests.benchmarks.index_world import centres, drawn_around
from tests.support.polling import eventually

_SEEN = 50
_USERS_TTL_S = 600
_GRACE_S = 10
_ROOT = Path(__file__).parents[2]


class Updates(threading.Thread):
    """Publishes items with new vectors at a steady rate, as a trainer that learns does."""

    def __init__(self, settings: Settings, items: int, per_s: float) -> None:
        super().__init__(name="updates", daemon=True)
        self._settings = settings
        self._items = items
        self._pace = Pace(per_s, time.monotonic)
        self._stopping = threading.Event()
        self.sent = 0
        """Published so far."""

    def stop(self) -> None:
        """End and wait for the end."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        producer = KafkaProducer(**self._settings.kafka.client_options(), linger_ms=5)
        chance = np.random.default_rng(1)
        while not self._stopping.wait(self._pace.wait_s(1)):
            number = int(chance.integers(self._items))
            (vector,) = unit_vectors(chance, 1, self._settings.towers.dim)
            send_item(producer, self._settings, number, vector, chance)
            self.sent += 1
        producer.close()


class Callers(NamedTuple):
    """One client of each side; every call of either gets k items."""

    echo: RecallClient
    recall: RecallClient
    updates: Updates
    """Under way."""


@contextmanager
def running(
    settings: Settings, folder: Path, items: int, users: int, k: int = 10, updates_per_s: float = 20
) -> Iterator[Callers]:
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
        command = [sys.executable, "-m", echo.__name__, str(k)]
        env = environment(echo_side) | {"PYTHONPATH": str(_ROOT)}
        echoing = Child("echo", command, folder / "logs" / "echo.log", env)
        closing.callback(stop_children, [echoing], _GRACE_S)
        eventually(lambda: _items_ready(node), lambda n: n == items, "the index node has all items")
        eventually(lambda: _built(node), bool, "the index node has built what it searches by")
        updates = Updates(recall_side, items, updates_per_s)
        updates.start()
        closing.callback(updates.stop)
        callers = Callers(
            closing.enter_context(RecallClient(echo_side)),
            closing.enter_context(RecallClient(recall_side)),
            updates,
        )
        for caller in (callers.echo, callers.recall):
            _await_answers(caller)
        yield callers


@contextmanager
def _topics(settings: Settings) -> Iterator[None]:
    create_topics(settings)
    try:
        yield
    finally:
        delete_topics(settings)


def unit_vectors(chance: np.random.Generator, count: int, dim: int) -> Float32Array:
    """(count, dim), around some centres, as those of a model are that has learned something."""
    return drawn_around(_centres(dim), chance, count)


@cache
def _centres(dim: int) -> Float32Array:
    return centres(np.random.default_rng(7), dim)


def send_item(
    producer: KafkaProducer,
    settings: Settings,
    number: int,
    vector: Float32Array,
    chance: np.random.Generator,
) -> None:
    """Publish item `i<number>` with this vector (dim,), as the trainer would."""
    names = count_names(settings.towers.trend_half_lives)
    item = ItemVector(
        item_id=f"i{number}",
        epoch=settings.towers.epoch,
        step=1,
        vector=pack_vector(vector),
        trend_clock=1_000.0,
        counts={name: float(chance.integers(50)) for name in names},
        attributes={"city": f"c{number % 10}"},
    )
    topic = topic_name(settings.namespace, ITEM_VECTORS)
    producer.send(topic, encode(item), key=item.item_id.encode())


def _fill(settings: Settings, items: int, users: int) -> None:
    """Random unit vectors, as the trainer would publish them."""
    chance = np.random.default_rng(0)
    epoch, dim = settings.towers.epoch, settings.towers.dim

    producer = KafkaProducer(**settings.kafka.client_options(), linger_ms=20)
    for number, vector in enumerate(unit_vectors(chance, items, dim)):
        send_item(producer, settings, number, vector, chance)
    producer.flush()
    producer.close()
    names = count_names(settings.towers.trend_half_lives)
    weights = dict.fromkeys([*names, SIMILAR, RECENT, TAKEN], 0.3)
    with connect(settings.redis) as redis:
        for number, vector in enumerate(unit_vectors(chance, users, dim)):
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


def _built(node: Stack) -> bool:
    """No backend is due or being built."""
    (figures,) = [s.figures for s in read_statuses(node.settings) if s.role == "index"]
    due = figures["items"] >= node.settings.index.exact_below
    return figures["rebuilds"] >= due and figures["unwritten"] == 0


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

"""Index nodes on any Kafka and Redis, with items and users as the trainer would publish them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from kafka import KafkaProducer

from ops.broker import create_topics, delete_topics
from ops.children import Child, stop_children
from ops.role_status import connect, read_statuses
from ops.stack import Stack
from schemas.codec import encode
from schemas.settings import Settings
from schemas.topics import ITEM_VECTORS, topic_name
from schemas.vectors import Float32Array, ItemVector, UserRecord, pack_vector, user_key
from tests.support.polling import eventually

_GRACE_S = 10
_TTL_S = 3_600
_START_S = 120.0


class RecallNodes:
    """Nodes by name, each a process; ended with the block that made this."""

    def __init__(self, settings: Settings, closing: ExitStack) -> None:
        self.settings = settings
        self._stack = Stack(settings, external=True)
        self._closing = closing
        self.children: dict[str, Child] = {}

    def start(self, name: str, replica: str, **changes: float) -> Child:
        """One more node, just started, with these index settings; static in its groups by name."""
        index = self.settings.index.model_copy(update={"replica": replica, **changes})
        settings = self.settings.model_copy(update={"index": index})
        child = Stack(settings, external=True).start_another("index", name)
        self._closing.callback(stop_children, [child], _GRACE_S)
        self.children[name] = child
        return child

    def figures(self, name: str) -> dict[str, float]:
        """What the node last said of itself; empty while it is not ready."""
        pid = f":{self.children[name].pid}"
        found = [each for each in read_statuses(self.settings) if each.instance.endswith(pid)]
        return found[0].figures if found and found[0].ready else {}

    def await_figures(self, name: str, **wanted: float) -> dict[str, float]:
        """All its figures, once the node is ready and these of them are so."""

        def seen() -> dict[str, float]:
            self.children[name].check()
            return self.figures(name)

        def met(figures: dict[str, float]) -> bool:
            return wanted.items() <= figures.items()

        return eventually(seen, met, f"{name} has {wanted}", _START_S)


@contextmanager
def recall_nodes(settings: Settings, vectors: Float32Array, users: int) -> Iterator[RecallNodes]:
    """Topics, an item for each vector (`i0`, `i1`, ...), and users whose vector is an item's.

    User `u0` has the vector of `i0`, and so on.
    """
    with ExitStack() as closing:
        create_topics(settings)
        closing.callback(delete_topics, settings)
        publish_items(settings, vectors)
        _write_users(settings, vectors[:users])
        yield RecallNodes(settings, closing)


def unit_vectors(count: int, dim: int, seed: int = 0) -> Float32Array:
    """(count, dim), of random directions."""
    drawn = np.random.default_rng(seed).standard_normal((count, dim), np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def publish_items(settings: Settings, vectors: Float32Array, step: int = 1) -> None:
    """Items `i0`, `i1`, ... with these vectors (items, dim), all acknowledged."""
    producer = KafkaProducer(**settings.kafka.client_options(), linger_ms=20)
    topic = topic_name(settings.namespace, ITEM_VECTORS)
    for number, vector in enumerate(vectors):
        item = ItemVector(
            item_id=f"i{number}",
            epoch=settings.towers.epoch,
            step=step,
            vector=pack_vector(vector),
            trend_clock=1.0,
            attributes={"city": f"c{number % 10}", "price": float(number)},
        )
        producer.send(topic, encode(item), key=item.item_id.encode())
    producer.flush()
    producer.close()


def _write_users(settings: Settings, vectors: Float32Array) -> None:
    epoch = settings.towers.epoch
    with connect(settings.redis) as redis:
        for number, vector in enumerate(vectors):
            user = UserRecord(epoch, 1, pack_vector(vector), 1.0, {}, 1.0)
            key = user_key(settings.namespace, epoch, f"u{number}")
            redis.set(key, encode(user), ex=_TTL_S)

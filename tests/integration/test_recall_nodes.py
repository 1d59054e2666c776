"""Shards over several nodes on a real Kafka, through deaths and returns."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from index_service import AsyncRecallClient, RecallClient
from ops.stack import with_addresses
from schemas.errors import RecallError, RecallRefused, RecallTimeout
from schemas.recall import Condition, Range, RecallReply, RecallRequest
from schemas.settings import EmbeddedSettings, Settings, TopicSettings, TowerSettings
from tests.support.polling import eventually
from tests.support.recall_nodes import RecallNodes, publish_items, recall_nodes, unit_vectors
from tests.support.servers import KafkaServer

ITEMS, USERS, DIM, K = 400, 50, 16, 10
VECTORS = unit_vectors(ITEMS, DIM)
SECONDS = float(os.environ.get("PENSTOCK_PROOF_SECONDS", "0"))
"""Of 200 requests a second with 1 s each while a node is killed; 0 for a short and gentle form."""
RATE, TIMEOUT_S = (200, 1.0) if SECONDS else (40, 4.0)
REQUESTS = int(SECONDS * RATE) or 240


@pytest.fixture
def nodes(kafka: KafkaServer, redis_url: str, tmp_path: Path) -> Iterator[RecallNodes]:
    settings = Settings(
        namespace=f"nodes-{tmp_path.name}"[:64],
        towers=TowerSettings(dim=DIM),
        topics=TopicSettings(shards=4),
        embedded=EmbeddedSettings(data_dir=tmp_path),
    )
    on_both = with_addresses(settings, kafka.bootstrap_servers, redis_url)
    with recall_nodes(on_both, VECTORS, USERS) as running:
        yield running


def best_items(vector: npt.NDArray[Any], but_not: Collection[str] = ()) -> list[str]:
    """By brute force over all items."""
    order = np.argsort(-(VECTORS @ vector), kind="stable")
    return [f"i{at}" for at in order if f"i{at}" not in but_not][:K]


def ids(reply: RecallReply) -> list[str]:
    return [item.item_id for item in reply.items]


def test_two_nodes_of_a_replica_share_its_shards_and_each_answers_for_all(
    nodes: RecallNodes,
) -> None:
    nodes.start("one", "a")
    nodes.await_figures("one", shards_ready=4, items=ITEMS)
    with RecallClient(nodes.settings) as client:
        reply = client.recall("u7", k=K, exclude_seen=False, timeout_s=5)
        assert (ids(reply), reply.status) == (best_items(VECTORS[7]), "ok")

        # The newcomer takes two shards; the other keeps them until the newcomer has them.
        other = nodes.start("two", "a")
        for name in ("one", "two"):
            nodes.await_figures(name, shards=2, shards_ready=2, peers=1)
        for number in range(20):  # requests go to both in turn
            reply = client.recall(f"u{number}", k=K, timeout_s=5)
            assert (ids(reply), reply.status) == (best_items(VECTORS[number]), "ok")
            assert (reply.shards_answered, reply.shards_asked) == (4, 4)
        assert nodes.figures("one")["shards_ready"] == 2
        reply = client.recall(item_ids=["i1", "i2", "i3"], k=K, timeout_s=5)
        mean = 0.8 ** np.arange(3) @ VECTORS[1:4]
        assert ids(reply) == best_items(mean, {"i1", "i2", "i3"})
        reply = client.recall(vector=VECTORS[0].tolist(), k=K, filter={"city": "c3"}, timeout_s=5)
        assert len(reply.items) == K
        assert {int(item[1:]) % 10 for item in ids(reply)} == {3}

        # Alone again, it says which shards are missing until it has loaded them.
        other.kill()
        reply = eventually(
            lambda: client.recall("u7", k=K, timeout_s=5),
            lambda reply: reply.status == "partial",
            "a reply without the dead node's shards",
        )
        assert (reply.shards_answered, reply.reason) == (2, "2 of 4 shards did not answer")
        assert set(ids(reply)) != set(best_items(VECTORS[7]))
        reply = eventually(
            lambda: client.recall("u7", k=K, timeout_s=5),
            lambda reply: reply.status == "ok",
            "the dead node's shards are loaded elsewhere",
        )
        assert ids(reply) == best_items(VECTORS[7])


def test_a_restart_reads_only_what_came_since_and_a_full_node_says_so(nodes: RecallNodes) -> None:
    nodes.start("one", "a", snapshot_every_s=0.2)
    nodes.await_figures("one", shards_ready=4, items=ITEMS, snapshots=4, changes=ITEMS)
    nodes.children["one"].kill()
    moved = unit_vectors(30, DIM, seed=1)
    publish_items(nodes.settings, moved, step=2)
    nodes.start("one", "a", max_in_flight=2)
    nodes.await_figures("one", shards_ready=4, items=ITEMS, shards_restored=4, changes=30, step=2)
    with RecallClient(nodes.settings) as client:
        reply = client.recall(vector=moved[0].tolist(), k=1, timeout_s=5)
        assert ids(reply) == ["i0"]

        request = RecallRequest(k=K, user_id="u40")
        calls = [client.submit(request, 10.0) for _ in range(300)]
        outcomes = Counter(type(call.exception(10.0)).__name__ for call in calls)
        assert set(outcomes) == {"NoneType", "RecallOverloaded"}, outcomes
        assert client.recall("u40", k=K, timeout_s=5).status == "ok"
    asked = 302 + client.retries  # what a machine too busy to answer in time was sent once more
    figures = nodes.await_figures("one", recalls=asked)
    assert figures["ok"] + figures["overloaded"] == asked
    refused_again = figures["overloaded"] - outcomes["RecallOverloaded"]
    assert 0 <= refused_again <= client.retries


def test_an_async_client_asks_as_the_other_does(nodes: RecallNodes) -> None:
    nodes.start("one", "a")
    nodes.await_figures("one", shards_ready=4, items=ITEMS)

    async def ask() -> None:
        async with AsyncRecallClient(nodes.settings) as client:
            replies = await asyncio.gather(
                *(client.recall(f"u{user}", k=K, timeout_s=10) for user in range(20))
            )
            for user, reply in enumerate(replies):
                assert (ids(reply), reply.status) == (best_items(VECTORS[user]), "ok")
            wanted: dict[str, Condition] = {
                "city": ["c1", "c2"],
                "price": Range(gte=100, lt=200),
            }
            reply = await client.recall(
                vector=VECTORS[0].tolist(), k=5, filter=wanted, exclude=["i101"], timeout_s=10
            )
            allowed = [at for at in range(100, 200) if at % 10 in (1, 2) and at != 101]
            nearest = sorted(allowed, key=lambda at: -float(VECTORS[at] @ VECTORS[0]))
            assert ids(reply) == [f"i{at}" for at in nearest[:5]]
            with pytest.raises(RecallRefused, match="k must lie from 1"):
                await client.recall("u0", k=0, timeout_s=10)
            nodes.children["one"].kill()
            with pytest.raises(RecallTimeout, match=r"within 0\.3 s"):
                await client.recall("u0", timeout_s=0.3)

    asyncio.run(ask())


def test_two_replicas_answer_through_the_death_of_a_node(nodes: RecallNodes) -> None:
    """Proof 3: no reply is lost and none is partial."""
    for replica in ("a", "b"):
        for name in (f"{replica}1", f"{replica}2"):
            nodes.start(name, replica)
    for name in ("a1", "a2", "b1", "b2"):
        nodes.await_figures(name, shards=2, shards_ready=2, peers=3)
    with RecallClient(nodes.settings) as client:
        for _ in range(RATE):  # connections and caches
            client.submit(RecallRequest(k=K, user_id="u0"), 5.0).result(5.0)
        outcomes, latencies_ms = _under_load(client, nodes)
    asked = sum(outcomes.values())
    p50, p99 = np.percentile(latencies_ms, (50, 99))
    print(f"{asked} asked: {dict(outcomes)}; p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    assert asked == REQUESTS
    assert outcomes["ok"] == asked, outcomes


def _under_load(client: RecallClient, nodes: RecallNodes) -> tuple[Counter[str], list[float]]:
    """200 requests a second, through whose middle a node is killed; what came of each."""
    outcomes: Counter[str] = Counter()
    latencies_ms: list[float] = []
    calls: list[tuple[int, Future[RecallReply]]] = []
    began_s = time.monotonic()

    for number in range(REQUESTS):
        while time.monotonic() < began_s + number / RATE:
            time.sleep(0.001)
        if number == REQUESTS // 3:
            nodes.children["a1"].kill()
        user = number % USERS
        call = client.submit(RecallRequest(k=K, user_id=f"u{user}"), TIMEOUT_S)
        call.add_done_callback(_noting(time.monotonic(), latencies_ms))
        calls.append((user, call))
    for user, call in calls:
        try:
            reply = call.result(2 * TIMEOUT_S)
        except RecallError as error:
            outcomes[type(error).__name__] += 1
            continue
        right = reply.status != "ok" or ids(reply) == best_items(VECTORS[user])
        outcomes[reply.status if right else "wrong"] += 1
    return outcomes, latencies_ms


def _noting(sent_s: float, latencies_ms: list[float]) -> Callable[[Future[RecallReply]], None]:
    return lambda _: latencies_ms.append(1e3 * (time.monotonic() - sent_s))

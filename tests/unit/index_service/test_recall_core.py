"""Requests to replies, over two small shards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pytest

from index_service.item_changes import ItemChange
from index_service.node_index import NodeIndex
from index_service.recall_core import NO_DIRECTION, NO_KNOWN_ITEM, RecallCore
from index_service.users import UNKNOWN, UNREACHABLE, User, or_anyone
from schemas.recall import RecallReply, RecallRequest
from schemas.settings import Settings, TowerSettings
from schemas.vectors import ItemVector, UserRecord, pack_vector

DIM = 4
SETTINGS = Settings(towers=TowerSettings(dim=DIM, epoch=3, tau=0.5, history_decay=0.5))
AXES = {name: [float(at == axis) for at in range(DIM)] for axis, name in enumerate("abcd")}


def item(item_id: str, vector: list[float], **changes: Any) -> ItemVector:
    packed = pack_vector(np.array(vector, dtype=np.float32))
    made = ItemVector(item_id, 3, 7, packed, 100.0, {}, {"city": "x"})
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def index() -> Iterator[NodeIndex]:
    """Items a, b, c and d along the axes; d is the one that trends."""
    with ThreadPoolExecutor(1) as executor:
        index = NodeIndex(SETTINGS, [0, 1], executor)
        for at, (name, vector) in enumerate(AXES.items()):
            counts = {"positives@5000": 5.0} if name == "d" else {}
            index.apply(at % 2, ItemChange(name, item(name, vector, counts=counts)))
        yield index
        index.items.close()


@pytest.fixture
def core(index: NodeIndex) -> RecallCore:
    return RecallCore(SETTINGS, index)


def record(vector: list[float], **changes: Any) -> User:
    packed = pack_vector(np.array(vector, dtype=np.float32))
    made = UserRecord(3, 7, packed, 10.0, {"positives@5000": 0.0}, 100.0, seen=["a"])
    return User(msgspec.structs.replace(made, **changes), "")


def ids(reply: RecallReply) -> list[str]:
    return [each.item_id for each in reply.items]


def test_a_user_gets_what_is_near_but_not_what_was_seen(core: RecallCore) -> None:
    user = record([0.8, 0.6, 0.0, 0.0])
    reply = core.answer(RecallRequest(user_id="u", k=1), user)
    assert (ids(reply), reply.status, reply.reason) == (["b"], "ok", "")
    assert reply.items[0].score == pytest.approx(10 * 0.6)
    assert (reply.shards_answered, reply.shards_asked, reply.epoch, reply.step) == (2, 2, 3, 7)
    reply = core.answer(RecallRequest(user_id="u", k=1, exclude_seen=False), user)
    assert ids(reply) == ["a"]
    assert reply.items[0].score == pytest.approx(10 * 0.8)
    reply = core.answer(RecallRequest(user_id="u", k=4, exclude=["b"]), user)
    assert sorted(ids(reply)) == ["c", "d"]


def test_in_a_context_any_query_takes_what_the_record_of_anyone_says(core: RecallCore) -> None:
    anyone = record(
        AXES["a"], scale=2.0, weights={"context:city": 3.0}, context={"city": {"c": 0.5}}
    )
    for query in (RecallRequest(vector=AXES["b"], k=4), RecallRequest(item_ids=["b"], k=4)):
        reply = core.answer(query, anyone)
        scores = {each.item_id: each.score for each in reply.items}
        expected = {"a": 0.0, "b": 2.0, "c": 1.5, "d": 0.0}
        if query.item_ids:
            del expected["b"]
        assert scores == pytest.approx(expected)  # and nothing is hidden that anyone has seen


def test_a_context_of_too_many_values_is_refused(core: RecallCore) -> None:
    cities: list[str] = [f"c{number}" for number in range(32)]
    user = record(AXES["a"])
    assert core.answer(RecallRequest(user_id="u", context={"city": cities}), user).status == "ok"
    many = RecallRequest(user_id="u", context={"city": cities, "hour": 9})
    refused = core.answer(many, user).error
    assert refused is not None
    assert (refused.rule, refused.value) == ("context must hold at most 32 values", "33 values")


def test_counts_decay_to_the_newest_clock_known(core: RecallCore, index: NodeIndex) -> None:
    index.apply(0, ItemChange("e", item("e", AXES["a"], trend_clock=100.0 + 5_000)))
    user = record(AXES["d"], weights={"positives@5000": 2.0})
    best = core.answer(RecallRequest(user_id="u", k=1), user).items[0]
    assert best.item_id == "d"
    assert best.score == pytest.approx(10 + 2 * np.log1p(25))


def test_a_vector_takes_scale_and_weights_of_the_settings(core: RecallCore) -> None:
    reply = core.answer(RecallRequest(vector=[0.0, 0.0, 1e300, 1e300], k=2), None)
    assert (ids(reply), reply.status) == (["d", "c"], "ok")
    cosine = 0.5**0.5
    bias = SETTINGS.towers.positives_weight * np.log1p(50)
    assert reply.items[0].score == pytest.approx(cosine / 0.5 + bias)
    assert reply.items[1].score == pytest.approx(cosine / 0.5)


def test_items_are_asked_by_their_recency_weighted_mean(core: RecallCore) -> None:
    request = RecallRequest(item_ids=["b", "unknown", "a"], k=4)
    reply = core.answer(request, None)
    assert (sorted(ids(reply)), reply.status) == (["c", "d"], "ok")  # themselves left out
    mean = np.array([0.5, 1.0, 0.0, 0.0]) / np.linalg.norm([0.5, 1.0])
    probe = RecallRequest(vector=mean.tolist(), exclude=["a", "b"], k=4)
    expected = core.answer(probe, None)
    assert ids(reply) == ids(expected)
    for mine, other in zip(reply.items, expected.items, strict=True):
        assert mine.score == pytest.approx(other.score)


def test_the_mean_puts_the_newest_first(core: RecallCore, index: NodeIndex) -> None:
    index.apply(0, ItemChange("near-a", item("near-a", [0.9, 0.1, 0.0, 0.0])))
    index.apply(1, ItemChange("near-b", item("near-b", [0.1, 0.9, 0.0, 0.0])))
    assert ids(core.answer(RecallRequest(item_ids=["a", "b"], k=1), None)) == ["near-a"]
    assert ids(core.answer(RecallRequest(item_ids=["b", "a"], k=1), None)) == ["near-b"]


@pytest.mark.parametrize(
    ("user", "reason"),
    [(None, UNKNOWN), (User(None, UNKNOWN), UNKNOWN), (User(None, UNREACHABLE), UNREACHABLE)],
)
def test_a_user_without_a_record_gets_what_trends(
    core: RecallCore, user: User | None, reason: str
) -> None:
    reply = core.answer(RecallRequest(user_id="u", k=3), user)
    assert (reply.status, reply.reason, len(reply.items)) == ("degraded", reason, 3)
    assert reply.items[0].item_id == "d"
    assert reply.items[0].score == pytest.approx(0.25 * np.log1p(50))
    assert {each.channel for each in reply.items} == {"trending"}


def test_a_user_without_a_record_gets_what_the_record_of_anyone_says(core: RecallCore) -> None:
    anyone = record(AXES["b"], seen=[])
    reply = core.answer(RecallRequest(user_id="u", k=1), or_anyone(User(None, UNKNOWN), anyone))
    assert (reply.status, reply.reason, ids(reply)) == ("degraded", UNKNOWN, ["b"])
    assert reply.items[0].score == pytest.approx(10)


def test_weights_of_the_newer_record_count(core: RecallCore) -> None:
    user = record(AXES["b"], seen=[])
    newer = record(AXES["c"], step=8, scale=1.0, weights={"positives@5000": 3.0})
    reply = core.answer(RecallRequest(user_id="u", k=2), or_anyone(user, newer))
    assert (ids(reply), reply.status) == (["d", "b"], "ok")
    assert [each.score for each in reply.items] == pytest.approx([3 * np.log1p(50), 1.0])
    older = record(AXES["c"], step=6, scale=1.0)
    assert or_anyone(user, older) == user
    assert or_anyone(user, User(None, UNKNOWN)) == user


def test_what_the_record_says_of_few_items_counts(core: RecallCore) -> None:
    user = record(
        AXES["a"],
        scale=1.0,
        weights={"similar": 2.0, "recent": 4.0, "taken": 1.0, "context:city": 3.0},
        latest=["b", "a"],
        seen=["a", "b"],
        similar={"c": 0.5, "nobody": 9.0},
        context={"city": {"d": 1.0}},
    )
    reply = core.answer(RecallRequest(user_id="u", k=4, exclude_seen=False), user)
    scores = {each.item_id: each.score for each in reply.items}
    expected = {"a": 1 + 4 * 0.8 + 1, "b": 4 + 1, "c": 2 * 0.5, "d": 3.0}
    assert scores == pytest.approx(expected)
    channels = {each.item_id: each.channel for each in reply.items}
    # The nearest are all of these few: only what comes before them is named otherwise.
    assert channels == {"a": "recent", "b": "recent", "c": "nearest", "d": "nearest"}
    reply = core.answer(RecallRequest(user_id="u", k=4), user)
    assert sorted(ids(reply)) == ["c", "d"]


def test_items_that_say_nothing_give_what_trends(core: RecallCore, index: NodeIndex) -> None:
    reply = core.answer(RecallRequest(item_ids=["zzz"], k=1), None)
    assert (reply.status, reply.reason, ids(reply)) == ("degraded", NO_KNOWN_ITEM, ["d"])
    opposite = item("anti-a", [-1.0, 0.0, 0.0, 0.0])
    index.apply(0, ItemChange("anti-a", opposite))
    equal = Settings(towers=TowerSettings(dim=DIM, epoch=3, history_decay=1.0))
    reply = RecallCore(equal, index).answer(RecallRequest(item_ids=["a", "anti-a"], k=1), None)
    assert (reply.status, reply.reason, ids(reply)) == ("degraded", NO_DIRECTION, ["d"])


@pytest.mark.parametrize(
    ("request_", "rule", "value"),
    [
        (RecallRequest(), "exactly one of", "none"),
        (RecallRequest(user_id="u", item_ids=["a"]), "exactly one of", "user_id and item_ids"),
        (RecallRequest(item_ids=[]), "at least one item", "[]"),
        (RecallRequest(user_id="u", k=0), "k must lie from 1 to 1000", "0"),
        (RecallRequest(user_id="u", k=1_001), "k must lie from 1 to 1000", "1001"),
        (RecallRequest(vector=[1.0]), "must have 4 numbers", "1 numbers"),
        (RecallRequest(vector=[0.0] * DIM), "finite and not zero", "zero"),
        (RecallRequest(vector=[1.0, 0.0, 0.0, float("nan")]), "finite and not zero", "NaN"),
        (RecallRequest(user_id="u", filter={"town": "x"}), "attributes that items have", "town"),
    ],
)
def test_a_broken_rule_is_named_with_the_value(
    core: RecallCore, request_: RecallRequest, rule: str, value: str
) -> None:
    reply = core.answer(request_, None)
    assert reply.status == "error"
    assert reply.error is not None
    assert rule in reply.error.rule
    assert value in reply.error.value
    assert reply.error.advice
    assert reply.items == []


def test_an_unknown_filter_lists_the_known_ones(core: RecallCore) -> None:
    reply = core.answer(RecallRequest(user_id="u", filter={"town": "x"}), None)
    assert reply.error is not None
    assert reply.error.advice == "known are city"
    assert core.answer(RecallRequest(user_id="u", filter={"city": "y"}), None).items == []


def test_an_empty_index_answers() -> None:
    with ThreadPoolExecutor(1) as executor:
        core = RecallCore(SETTINGS, NodeIndex(SETTINGS, [0], executor))
        reply = core.answer(RecallRequest(vector=[1.0] * DIM, filter={"city": "x"}), None)
        assert (reply.status, reply.items) == ("ok", [])


def test_vectors_of_another_epoch_are_left_out(index: NodeIndex) -> None:
    index.apply(0, ItemChange("new", item("new", AXES["a"], epoch=4)))
    assert (len(index), index.other_epoch) == (4, 1)
    index.apply(0, ItemChange("a", None))
    assert (len(index), index.vectors_of(["a", "b"], {0, 1})["b"].tolist()) == (3, AXES["b"])


def test_shards_together_rank_as_one_shard_does() -> None:
    rng = np.random.default_rng(5)
    with ThreadPoolExecutor(1) as executor:
        whole, parts = (NodeIndex(SETTINGS, range(n), executor) for n in (1, 4))
        for number in range(300):
            vector = rng.normal(size=DIM)
            each = item(str(number), (vector / np.linalg.norm(vector)).tolist())
            whole.apply(0, ItemChange(each.item_id, each))
            parts.apply(number % 4, ItemChange(each.item_id, each))
        for k in (1, 10, 100):
            vector = rng.normal(size=DIM)
            request = RecallRequest(vector=vector.tolist(), k=k)
            found = RecallCore(SETTINGS, parts).answer(request, None).items
            truth = [*whole.vectors_of(map(str, range(300)), [0]).values()]
            cosines = np.stack(truth) @ vector / np.linalg.norm(vector)
            assert [each.item_id for each in found] == [str(at) for at in np.argsort(-cosines)[:k]]

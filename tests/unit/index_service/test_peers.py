"""Whom a node asks about shards that it does not hold."""

from __future__ import annotations

from index_service.peers import SILENT_MS, Peers
from schemas.shards import NodeState


def peers(*states: NodeState, at_ms: int = 0) -> Peers:
    made = Peers("me", "a")
    for state in states:
        made.hear(state, at_ms)
    return made


def test_the_own_replica_is_asked_first_and_another_when_it_is_asked_already() -> None:
    view = peers(NodeState("n2", "b", [0, 1, 2, 3]), NodeState("n1", "a", [2, 3], ["city"]))
    assert view.plan([2, 3], (), 0) == {"n1": [2, 3]}
    assert view.plan([1, 2], (), 0) == {"n2": [1], "n1": [2]}
    assert view.plan([2, 3], {"n1"}, 0) == {"n2": [2, 3]}
    assert view.plan([2], {"n1", "n2"}, 0) == {}
    assert view.plan([9], (), 0) == {}
    assert view.fields(0) == {"city"}
    assert view.held_in_replica(0) == {2, 3}
    assert view.held(0) == {0, 1, 2, 3}


def test_equal_holders_share_the_shards() -> None:
    view = peers(*(NodeState(name, "b", [0, 1, 2, 3]) for name in ("n1", "n2")))
    assert view.plan([0, 1, 2, 3], (), 0) == {"n1": [0, 2], "n2": [1, 3]}


def test_who_did_not_answer_comes_last_until_heard_again() -> None:
    near, far = NodeState("n1", "a", [0]), NodeState("n2", "b", [0])
    view = peers(near, far)
    view.suspect("n1")
    assert view.plan([0], (), 0) == {"n2": [0]}
    assert view.plan([0], {"n2"}, 0) == {"n1": [0]}
    view.hear(near, 1)
    assert view.plan([0], (), 1) == {"n1": [0]}


def test_who_is_silent_or_leaves_is_not_asked() -> None:
    view = peers(NodeState("n1", "a", [0]), NodeState("n2", "a", [0]), at_ms=100)
    view.hear(NodeState("n2", "a", leaving=True), 200)
    assert view.plan([0], (), 100 + SILENT_MS) == {"n1": [0]}
    assert view.plan([0], (), 101 + SILENT_MS) == {}
    assert view.alive(101 + SILENT_MS) == []


def test_a_node_is_no_peer_of_its_own() -> None:
    assert peers(NodeState("me", "a", [0])).alive(0) == []

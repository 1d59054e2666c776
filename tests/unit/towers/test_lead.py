"""Who leads, as the group's leading member decides it."""

from __future__ import annotations

from kafka.coordinator.assignors.abstract import RebalanceProtocol
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from towers.lead import LeadListener, LongestFirst


class Member:
    def __init__(self, member_id: str, since_ms: int | LongestFirst) -> None:
        self.member_id = member_id
        order = LongestFirst(since_ms) if isinstance(since_ms, int) else since_ms
        said = order.metadata({"positives"})
        # What the broker passes on is what crossed the wire.
        self.metadata = ConsumerProtocolSubscription.decode(said.encode())


class Cluster:
    def partitions_for_topic(self, topic: str) -> set[int]:
        return {2, 0, 1}


def leader(*members: Member) -> str:
    shares = LongestFirst(0).assign(Cluster(), members)
    assert set(shares) == {member.member_id for member in members}
    given = {
        member_id: [(name, list(parts)) for name, parts in share.assigned_partitions]
        for member_id, share in shares.items()
    }
    leading = [member_id for member_id, parts in given.items() if parts]
    assert len(leading) == 1
    assert given[leading[0]] == [("positives", [0, 1, 2])]
    return leading[0]


def test_the_member_that_has_waited_longest_leads() -> None:
    old, new = Member("z", 1_700_000_000_000), Member("a", 1_700_000_000_001)
    assert leader(old, new) == leader(new, old) == "z"
    assert leader(new) == "a"


def test_of_two_that_came_together_one_leads_whoever_decides() -> None:
    one, other = Member("a", 5), Member("b", 5)
    assert leader(one, other) == leader(other, one) == "a"


class Consumer:
    def __init__(self) -> None:
        self.paused: list[str] = []

    def pause(self, *parts: str) -> None:
        self.paused += parts


def test_a_leader_that_was_out_of_the_group_is_the_last_in_line() -> None:
    order, consumer = LongestFirst(1), Consumer()
    listener = LeadListener(consumer, order, lambda: 9)
    listener.on_partitions_assigned(["positives-0"])
    assert listener.leads and consumer.paused == ["positives-0"]
    listener.on_partitions_revoked(["positives-0"])  # as at the begin of every rebalance
    assert listener.leads
    assert leader(Member("a", order), Member("b", 5)) == "a"
    listener.on_partitions_lost(["positives-0"])
    assert not listener.leads
    assert leader(Member("a", order), Member("b", 5)) == "b"
    listener.on_partitions_assigned([])
    assert not listener.leads


def test_every_member_gives_up_its_share_in_a_rebalance() -> None:
    assert LongestFirst(0).supported_protocols() == [RebalanceProtocol.EAGER]

"""Who leads, as the group's leading member decides it."""

from __future__ import annotations

from kafka.coordinator.assignors.abstract import RebalanceProtocol
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from towers.lead import LongestFirst


class Member:
    def __init__(self, member_id: str, since_ms: int) -> None:
        self.member_id = member_id
        said = LongestFirst(since_ms).metadata({"positives"})
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


def test_every_member_gives_up_its_share_in_a_rebalance() -> None:
    assert LongestFirst(0).supported_protocols() == [RebalanceProtocol.EAGER]

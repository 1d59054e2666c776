"""Which other nodes live and what they hold: pure, given what they said and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from schemas.shards import NodeState

SILENT_MS = 1_500
"""A node that says nothing for so long is dead, or as good as dead."""


class Peers:
    """Other nodes by name, as last heard of. A node that failed to answer comes last until it
    speaks again: it may only have been slow.
    """

    def __init__(self, node: str, replica: str) -> None:
        """The node whose peers these are: what it says itself is passed over."""
        self._node = node
        self._replica = replica
        self._states: dict[str, NodeState] = {}
        self._heard_ms: dict[str, int] = {}
        self._suspects: set[str] = set()

    def __len__(self) -> int:
        return len(self._states)

    def hear(self, state: NodeState, now_ms: int) -> None:
        """A node has spoken."""
        if state.node == self._node:
            return
        self._suspects.discard(state.node)
        if state.leaving:
            self._forget(state.node)
        else:
            self._states[state.node] = state
            self._heard_ms[state.node] = now_ms

    def suspect(self, node: str) -> None:
        """The node has not answered in time."""
        self._suspects.add(node)

    def alive(self, now_ms: int) -> list[NodeState]:
        """Nodes heard of lately, by name."""
        for node in [n for n, heard in self._heard_ms.items() if now_ms - heard > SILENT_MS]:
            self._forget(node)
        return [self._states[node] for node in sorted(self._states)]

    def fields(self, now_ms: int) -> set[str]:
        """Attributes that some item of theirs has."""
        return set[str]().union(*(state.fields for state in self.alive(now_ms)))

    def held(self, now_ms: int) -> set[int]:
        """Shards that some other node can be asked about."""
        return set[int]().union(*(state.shards for state in self.alive(now_ms)))

    def held_in_replica(self, now_ms: int) -> set[int]:
        """Shards that other nodes of the same replica can be asked about."""
        own = (state for state in self.alive(now_ms) if state.replica == self._replica)
        return set[int]().union(*(state.shards for state in own))

    def plan(
        self, shards: Iterable[int], but_not: Collection[str], now_ms: int
    ) -> dict[str, list[int]]:
        """Whom to ask about which of these shards, none of those in `but_not`.

        Unsuspected before suspected, the own replica before others, and of those left the one
        that shares out the shards most evenly. A shard that nobody else holds is in no list.
        """
        states = [state for state in self.alive(now_ms) if state.node not in but_not]
        plan: dict[str, list[int]] = {}
        for shard in sorted(shards):
            holders = [state for state in states if shard in state.shards]
            if holders:
                best = min(
                    holders,
                    key=lambda state: (
                        state.node in self._suspects,
                        state.replica != self._replica,
                        len(plan.get(state.node, ())),
                    ),
                )
                plan.setdefault(best.node, []).append(shard)
        return plan

    def _forget(self, node: str) -> None:
        self._states.pop(node, None)
        self._heard_ms.pop(node, None)
        self._suspects.discard(node)

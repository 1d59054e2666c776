"""Clicks to what the methods learn from: the latest visits, and the item graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from towers.graph.item_graph import GraphRules, ItemGraph
from towers.graph.sessions import SessionRules, Sessions, Visit
from towers.graph.visit_log import VisitLog


@dataclass(frozen=True)
class FeedRules:
    """How clicks are read."""

    sessions: SessionRules = field(default_factory=SessionRules)
    graph: GraphRules = field(default_factory=GraphRules)
    visits_kept: int = 10_000_000
    """Latest visits that item2vec learns from."""


class ClickFeed:
    """Takes clicks in the order of the stream."""

    def __init__(self, rules: FeedRules) -> None:
        self.sessions = Sessions(rules.sessions)
        self.log = VisitLog(rules.visits_kept)
        self.graph = ItemGraph(rules.graph)
        self.clicks = 0
        """All, noise too."""
        self._now_ms = 0

    def add(self, user_id: str, item_id: str, ts_ms: int) -> None:
        """A click."""
        self.clicks += 1
        self._now_ms = max(self._now_ms, ts_ms)
        visit = self.sessions.add(user_id, item_id, ts_ms)
        if visit is not None:
            self._take(visit)

    def finish(self) -> None:
        """No more clicks come."""
        for visit in self.sessions.finish():
            self._take(visit)

    def settle(self) -> None:
        """Bring the graph up to the newest click."""
        self.graph.settle(self._now_ms)

    def left_out(self) -> dict[str, int]:
        """Counts by name of all that came and does not count, or counts no more."""
        sessions, graph = self.sessions, self.graph
        return {
            "short_stays": sessions.short_stays,
            "clicks_of_active_users": sessions.active_clicks,
            "active_users": sessions.active_users,
            "repeats": sessions.repeats,
            "users_forgotten": sessions.users_forgotten,
            "visits_dropped": self.log.dropped,
            "nodes_expired": graph.nodes_expired,
            "nodes_crowded_out": graph.nodes_crowded_out,
            "edges_faded": graph.edges_faded,
            "edges_crowded_out": graph.edges_crowded_out,
        }

    def _take(self, visit: Visit) -> None:
        self.log.add(visit)
        self.graph.add(visit)

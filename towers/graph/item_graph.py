"""The item graph of a stream: edges fade, nodes come and go, and its size is bounded."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from towers.arrays import Doubles, Ints
from towers.graph.adjacency import Adjacency
from towers.graph.names import NOBODY, Names
from towers.graph.sessions import Visit

_DAY_MS = 86_400_000
_NODE_BITS = 32
_LARGEST_EXPONENT = 100.0
"""Half-lives from the landmark after which weights are brought back to it: 2^100 loses nothing."""


@dataclass(frozen=True)
class GraphRules:
    """How long a click counts, and how large the graph may get."""

    half_life_ms: float = 30.0 * _DAY_MS
    """Age at which a click weighs half."""
    least_weight: float = 0.01
    """An edge that weighs less is dropped."""
    node_expiry_ms: int = 90 * _DAY_MS
    """A node without a visit for longer is dropped, with its edges."""
    max_nodes: int = 1_000_000
    """Most nodes; beyond that those visited last are kept."""
    max_edges: int = 10_000_000
    """Most edges; beyond that the heaviest are kept."""
    settle_every: int = 65_536
    """Visits between two times that the graph is settled: faded, and cut to its bounds."""


class ItemGraph:
    """Visits in, a graph with weights as of any later moment out.

    An edge from a to b weighs the sum, over the visits of b next after a in a session, of
    2^(-age / half life). Weights are kept as of a landmark in time, so that no visit changes
    another edge's (forward decay: Cormode et al., ICDE 2009).

    Bytes: 16 an edge, about 150 a node and its name, 24 a visit that is not settled; while it
    settles, four times that of the edges.
    """

    def __init__(self, rules: GraphRules) -> None:
        self._rules = rules
        self._names = Names()
        self._visits: Doubles = np.zeros(0)  # (nodes,) decayed to the landmark
        self._seen_ms: Ints = np.zeros(0, np.int64)  # (nodes,) last visit
        self._keys: Ints = np.zeros(0, np.int64)  # (edges,) sorted: source << 32 | target
        self._weights: Doubles = np.zeros(0)  # (edges,) as of the landmark
        self._landmark_ms: int | None = None
        self._new_keys, self._new_nodes = array("q"), array("q")
        self._new_weights, self._new_ms = array("d"), array("q")
        self.nodes_expired = 0
        self.nodes_crowded_out = 0
        """Nodes dropped for `max_nodes`."""
        self.edges_faded = 0
        """Edges dropped for `least_weight`; those that went with a node are not counted."""
        self.edges_crowded_out = 0
        """Edges dropped for `max_edges`."""

    def add(self, visit: Visit) -> None:
        """The next visit."""
        if self._landmark_ms is None:
            self._landmark_ms = visit.ts_ms
        exponent = (visit.ts_ms - self._landmark_ms) / self._rules.half_life_ms
        full = len(self._new_nodes) >= self._rules.settle_every
        if full or exponent > _LARGEST_EXPONENT:
            self.settle(visit.ts_ms)
            exponent = (visit.ts_ms - self._landmark_ms) / self._rules.half_life_ms
        # Before the visited one, which the source may have been dropped to make room for.
        source = None if visit.after is None else self._names.find(visit.after)
        target = self._names.add(visit.item_id)
        self._new_nodes.append(target)
        self._new_ms.append(visit.ts_ms)
        self._new_weights.append(2.0**exponent)
        self._new_keys.append(NOBODY if source is None else source << _NODE_BITS | target)

    def settle(self, now_ms: int) -> None:
        """Take in what is new, fade all to `now_ms`, and drop what is too old or too much.

        A moment before the last settling is that one.
        """
        if self._landmark_ms is None:
            return
        self._take_in_new()
        now_ms = max(now_ms, self._landmark_ms)
        fade = 2.0 ** (-(now_ms - self._landmark_ms) / self._rules.half_life_ms)
        self._landmark_ms = now_ms
        self._weights, self._visits = self._weights * fade, self._visits * fade
        self._drop_nodes(self._living(now_ms))
        heavy = self._weights >= self._rules.least_weight
        self.edges_faded += int((~heavy).sum())
        self._keys, self._weights = self._keys[heavy], self._weights[heavy]
        over = len(self._keys) - self._rules.max_edges
        if over > 0:
            self.edges_crowded_out += over
            # Of equals the first by source and target, which is by age of the nodes.
            kept = np.sort(np.argsort(-self._weights, kind="stable")[: self._rules.max_edges])
            self._keys, self._weights = self._keys[kept], self._weights[kept]

    @property
    def item_ids(self) -> list[str]:
        """The nodes' names, in order."""
        return self._names.all

    @property
    def visits(self) -> Doubles:
        """(nodes,): decayed visits of each, as of the last settling."""
        return self._visits

    def adjacency(self) -> Adjacency:
        """The graph as of the last settling."""
        return Adjacency(len(self._names), *split_keys(self._keys), self._weights)

    def _take_in_new(self) -> None:
        nodes = np.array(self._new_nodes, np.int64)
        weights, count = np.array(self._new_weights, np.float64), len(self._names)
        visits, seen_ms = np.zeros(count), np.full(count, np.iinfo(np.int64).min)
        visits[: len(self._visits)] = self._visits
        seen_ms[: len(self._seen_ms)] = self._seen_ms
        self._visits = visits + np.bincount(nodes, weights=weights, minlength=count)
        np.maximum.at(seen_ms, nodes, np.array(self._new_ms, np.int64))
        self._seen_ms = seen_ms
        new_keys = np.array(self._new_keys, np.int64)
        real = new_keys != NOBODY
        keys = np.concatenate([self._keys, new_keys[real]])
        self._keys, places = np.unique(keys, return_inverse=True)
        both = np.concatenate([self._weights, weights[real]])
        self._weights = np.zeros(len(self._keys))
        np.add.at(self._weights, places, both)
        for new in (self._new_nodes, self._new_ms, self._new_weights, self._new_keys):
            del new[:]

    def _living(self, now_ms: int) -> npt.NDArray[np.bool_]:
        living = now_ms - self._seen_ms <= self._rules.node_expiry_ms
        self.nodes_expired += int((~living).sum())
        over = int(living.sum()) - self._rules.max_nodes
        if over > 0:
            self.nodes_crowded_out += over
            # Of those seen at the same moment the ones that came first go.
            rows = np.flatnonzero(living)
            living[rows[np.argsort(self._seen_ms[rows], kind="stable")[:over]]] = False
        return living

    def _drop_nodes(self, living: npt.NDArray[np.bool_]) -> None:
        if living.all():
            return
        numbers = self._names.keep(living)
        self._visits, self._seen_ms = self._visits[living], self._seen_ms[living]
        sources, targets = (numbers[ends] for ends in split_keys(self._keys))
        kept = (sources != NOBODY) & (targets != NOBODY)
        self._keys = sources[kept] << _NODE_BITS | targets[kept]  # order stays
        self._weights = self._weights[kept]


def split_keys(keys: Ints) -> tuple[Ints, Ints]:
    """Sources and targets."""
    return keys >> _NODE_BITS, keys & ((1 << _NODE_BITS) - 1)

"""The four methods: which sequences, which graph, which inputs of the one skip-gram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch

from schemas.errors import DatasetError
from schemas.events import FeatureValue
from towers.arrays import Doubles, Floats
from towers.features import FeatureReader
from towers.graph.click_feed import ClickFeed
from towers.graph.pairs import pairs, thinned
from towers.graph.side_information import Features, SideInformation
from towers.graph.side_inputs import SideInputs
from towers.graph.skip_gram import Inputs, ItemInputs, SkipGram, SkipGramRules
from towers.graph.sources import SessionSource, Source, WalkRules, WalkSource

Method = Literal["item2vec", "deepwalk", "node2vec", "eges"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class MethodRules:
    """How vectors are learned from a feed."""

    skip_gram: SkipGramRules = field(default_factory=SkipGramRules)
    walks: WalkRules = field(default_factory=WalkRules)
    epochs: int = 10
    """Passes over the sessions (item2vec)."""
    directed: bool = False
    """Walk along clicks only, not against them; EGES always does."""
    seed: int = 0
    """Of every random choice."""


class ItemEmbeddings(NamedTuple):
    """Vectors by item."""

    method: Method
    item_ids: list[str]
    vectors: Floats
    """(items, dim), less the mean of those that were visited: skip-gram gives it to all alike, and
    an inner product would take it for likeness."""
    counts: Floats
    """(items,): visits that each was learned from, decayed where it was learned from the graph; 0
    for one that was learned from its features alone."""


class Training:
    """One method's vectors, from what a feed holds now.

    item2vec: sessions (Barkan & Koenigstein, MLSP 2016). deepwalk: walks by weight (Perozzi et al.,
    KDD 2014). node2vec: second-order walks (Grover & Leskovec, KDD 2016). eges: walks by weight
    along the clicks, vectors with side information (Wang et al., KDD 2018).

    `features`: of items by id, read by eges alone, which gives those without visits a vector too.
    Raises DatasetError where nothing can be learned: no two items were visited in one session.
    """

    def __init__(
        self,
        method: Method,
        feed: ClickFeed,
        rules: MethodRules,
        features: Mapping[str, Mapping[str, FeatureValue]],
        reader: FeatureReader,
    ) -> None:
        self.method, self._rules, self._features = method, rules, features
        self._ids, self._visits, self._source = _read(method, feed, rules)
        self._random = np.random.default_rng(rules.seed)
        self._side_inputs: SideInputs | None = None
        inputs = self._inputs(reader)
        self._get = inputs.vectors
        self._mean: Floats = np.zeros(rules.skip_gram.dim, np.float32)
        self._skip_gram = SkipGram(inputs, self._visits, rules.skip_gram, self._random)
        self.total = self._source.total
        """Sequences to learn from."""
        self.pairs = 0
        """Pairs learned so far."""
        self.losses: list[float] = []
        """Mean loss of a pair, before each piece that had any."""

    def run(self) -> Iterator[int]:
        """Learn all; after each piece, how many sequences it held."""
        skip_gram = self._rules.skip_gram
        shares = self._visits / max(self._visits.sum(), 1e-12)
        with np.errstate(divide="ignore"):
            keep = np.minimum(1.0, np.sqrt(skip_gram.subsample / shares))  # (items,)
        for sequences in self._source.pieces(self._random):
            kept = thinned(sequences, keep, self._random)
            centres, neighbours = pairs(kept, skip_gram.window, self._random)
            size = skip_gram.batch
            if len(centres):
                self.losses.append(self._skip_gram.loss(centres[:size], neighbours[:size]))
            for begin in range(0, len(centres), size):
                end = begin + size
                self._skip_gram.learn(centres[begin:end], neighbours[begin:end])
            self.pairs += len(centres)
            yield len(sequences.lengths)

    def embeddings(self) -> ItemEmbeddings:
        """What was learned."""
        vectors: Floats = self._get(torch.arange(len(self._ids))).numpy()
        self._mean = vectors.mean(axis=0)
        vectors = vectors - self._mean
        ids, counts = list(self._ids), self._visits.astype(np.float32)
        cold = self._cold(set(ids))
        if cold:
            ids += cold
            vectors = np.concatenate([vectors, np.stack([*cold.values()])])
            counts = np.concatenate([counts, np.zeros(len(cold), np.float32)])
        return ItemEmbeddings(self.method, ids, vectors, counts)

    def cold(self, features: Features) -> Floats | None:
        """(dim,): of an item that was not visited, by its features; None where they say nothing.

        To be compared with the last `embeddings`.
        """
        vector = None if self._side_inputs is None else self._side_inputs.cold(features)
        return None if vector is None else vector.numpy() - self._mean

    def _cold(self, visited: set[str]) -> dict[str, Floats]:
        found = {
            item_id: self.cold(features)
            for item_id, features in self._features.items()
            if item_id not in visited
        }
        return {item_id: vector for item_id, vector in found.items() if vector is not None}

    def _inputs(self, reader: FeatureReader) -> Inputs:
        rules = self._rules.skip_gram
        chance = torch.Generator().manual_seed(self._rules.seed)
        if self.method != "eges":
            return ItemInputs(len(self._ids), rules.dim, rules.rate, chance)
        items = [self._features.get(item_id, {}) for item_id in self._ids]
        side = SideInformation(items, reader)
        self._side_inputs = SideInputs(items, side, rules.dim, rules.rate, chance)
        return self._side_inputs


def _read(method: Method, feed: ClickFeed, rules: MethodRules) -> tuple[list[str], Doubles, Source]:
    """Ids, visits and sequences."""
    if method == "item2vec":
        if not feed.log.has_pairs:
            raise DatasetError(_nothing(feed))
        sequences = feed.log.sequences()
        return (
            feed.log.names.all,
            feed.log.counts().astype(float),
            SessionSource(sequences, rules.epochs),
        )
    feed.settle()
    graph = feed.graph.adjacency()
    if not len(graph.targets):
        raise DatasetError(_nothing(feed))
    if method != "eges" and not rules.directed:
        graph = graph.undirected()
    walks = rules.walks if method == "node2vec" else _straight(rules.walks)
    return feed.graph.item_ids, feed.graph.visits, WalkSource(graph, walks)


def _straight(rules: WalkRules) -> WalkRules:
    return WalkRules(rules.walks, rules.length)


def _nothing(feed: ClickFeed) -> str:
    left_out = ", ".join(f"{name} {count}" for name, count in feed.left_out().items() if count)
    return (
        "items are embedded from sessions of two items or more; there is none in "
        f"{feed.clicks} clicks (left out: {left_out or 'nothing'}); give more clicks, a longer "
        "session gap or a shorter stay"
    )

"""Item embeddings alone as recall, and as what the towers begin with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ops.evaluation.ranking import Doubles, ItemRows
from ops.evaluation.recommender import Ask
from schemas.errors import SettingsError
from schemas.events import Event, FeatureValue, Item
from schemas.settings import Settings
from towers.features import FeatureReader
from towers.graph.click_feed import ClickFeed, FeedRules
from towers.graph.methods import Method, MethodRules, Training
from towers.graph.sessions import SessionRules
from towers.graph.skip_gram import SkipGramRules
from towers.graph.sources import WalkRules
from towers.graph.vector_file import VectorFile
from towers.warm_start import WarmStart

_FEED = FeedRules(SessionRules(gap_ms=86_400_000, min_stay_ms=0))
"""Data sets give the times of requests, so no stay is known; and few have many clicks an hour."""
_FIRST_CLICKS = 500
_GROWTH = 1.6
_HISTORY = 20
_DECAY = 0.9


def rules_of(method: Method, dim: int, seed: int) -> MethodRules:
    """What the rows of the evaluation learn with; p and q of node2vec are chosen, not tuned."""
    p, q = (0.5, 2.0) if method == "node2vec" else (1.0, 1.0)
    return MethodRules(SkipGramRules(dim=dim), WalkRules(p=p, q=q), seed=seed)


class Embedded:
    """A `Recommender`: nearest to the decayed mean of a user's latest items, by inner product.

    Vectors are of length 1, as in the index. They are learned anew from all clicks so far whenever
    these have grown by three fifths, so a list stands on earlier clicks alone. Items without one
    come last, by clicks; with eges an item has one as soon as it arrives.
    """

    def __init__(
        self, settings: Settings, method: Method, seed: int, first_clicks: int = _FIRST_CLICKS
    ) -> None:
        self._settings, self._method = settings, method
        self._rules = rules_of(method, settings.towers.dim, seed)
        self._feed = ClickFeed(_FEED)
        self._items = ItemRows()
        self._features: dict[str, Mapping[str, FeatureValue]] = {}
        self._place(np.zeros((0, settings.towers.dim)))
        self._clicks: Doubles = np.zeros(0)
        self._latest: defaultdict[str, dict[int, None]] = defaultdict(dict)  # oldest first
        self._training: Training | None = None
        self._due = first_clicks

    def recommend(self, ask: Ask) -> list[str]:
        """See `Recommender`."""
        scores = self._clicks * 1e-9
        known = self._known
        rows = [row for row in [*self._latest[ask.user_id]][::-1] if known[row]][:_HISTORY]
        if rows:
            weights = _DECAY ** np.arange(len(rows))
            user = weights @ self._vectors[rows] / weights.sum()  # (dim,)
            scores += np.where(known, self._vectors @ user, -2.0)
        return self._items.best(scores, ask)

    def arrive(self, items: Sequence[Item]) -> None:
        """See `Recommender`."""
        self._items.add(items)
        self._clicks = np.pad(self._clicks, (0, len(items)))
        new = np.zeros((len(items), self._vectors.shape[1]))
        for row, item in enumerate(items):
            self._features[item.item_id] = item.features
            cold = None if self._training is None else self._training.cold(item.features)
            if cold is not None:
                new[row] = cold
        self._place(np.concatenate([self._vectors, _units(new)]))

    def take(self, events: Sequence[Event]) -> None:
        """See `Recommender`."""
        for event in events:
            if event.action not in self._settings.labelling.positives:
                continue
            row, latest = self._items.row(event.item_id), self._latest[event.user_id]
            latest.pop(row, None)
            latest[row] = None
            self._clicks[row] += 1
            self._feed.add(event.user_id, event.item_id, event.ts_ms)
        if self._feed.clicks >= self._due:
            self._due = int(self._feed.clicks * _GROWTH)
            self._learn()

    def _learn(self) -> None:
        training = train(self._settings, self._method, self._feed, self._rules, self._features)
        if training is None:
            return
        self._training, found = training, training.embeddings()
        vectors = np.zeros((len(self._items), found.vectors.shape[1]))
        vectors[self._items.rows(found.item_ids)] = _units(found.vectors)
        self._place(vectors)

    def _place(self, vectors: Doubles) -> None:
        self._vectors = vectors
        self._known: npt.NDArray[np.bool_] = np.asarray(vectors.any(axis=1))


def train(
    settings: Settings,
    method: Method,
    feed: ClickFeed,
    rules: MethodRules,
    features: Mapping[str, Mapping[str, FeatureValue]],
) -> Training | None:
    """A finished training; None where the feed holds nothing to learn from yet."""
    if not feed.log.has_pairs:
        return None
    reader = FeatureReader(settings.features.items, settings.features.text_buckets)
    training = Training(method, feed, rules, features, reader)
    for _ in training.run():
        pass
    return training


def warm_start(
    settings: Settings,
    method: Method,
    earlier: Iterable[Event],
    items: Mapping[str, Item],
    seed: int,
) -> WarmStart:
    """Vectors from the earlier part of a stream, to begin the rest of it with.

    Raises SettingsError where that part is too small to learn from.
    """
    feed = ClickFeed(_FEED)
    for event in earlier:
        if event.action in settings.labelling.positives:
            feed.add(event.user_id, event.item_id, event.ts_ms)
    features = {item_id: item.features for item_id, item in items.items()}
    rules = rules_of(method, settings.towers.dim, seed)
    training = train(settings, method, feed, rules, features)
    if training is None:
        msg = (
            "a warm start is learned from an earlier part of the stream; it has "
            f"{feed.clicks} clicks and no two in one session; give --pretrain-share, or more of it"
        )
        raise SettingsError(msg)
    found = training.embeddings()
    return WarmStart(VectorFile(method, found.item_ids, found.vectors, found.counts))


def _units(vectors: npt.NDArray[Any]) -> Doubles:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Doubles = vectors / np.maximum(lengths, 1e-12)
    return units

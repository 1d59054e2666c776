from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import DatasetError
from tests.unit.towers.graph.communities import (
    COMMUNITIES,
    ITEMS_EACH,
    community,
    features,
    planted,
)
from towers.features import FeatureReader
from towers.graph.click_feed import ClickFeed, FeedRules
from towers.graph.methods import METHODS, ItemEmbeddings, Method, MethodRules, Training
from towers.graph.sessions import SessionRules
from towers.graph.skip_gram import SkipGramRules
from towers.graph.sources import WalkRules

READER = FeatureReader({}, 16)
SMALL = MethodRules(
    SkipGramRules(dim=16, batch=512, rate=0.2, drawn=32, subsample=1.0),
    WalkRules(walks=8, length=10),
    epochs=3,
)


def trained(method: Method, feed: ClickFeed, rules: MethodRules = SMALL) -> Training:
    training = Training(method, feed, rules, features(), READER)
    assert sum(training.run()) == training.total
    return training


def same_community(found: ItemEmbeddings) -> float:
    """Share of the ten nearest of each item that are of its community."""
    units = found.vectors / np.linalg.norm(found.vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, :10]
    groups = np.array([community(item_id) for item_id in found.item_ids])
    return float((groups[nearest] == groups[:, None]).mean())


@pytest.mark.parametrize("method", METHODS)
def test_the_nearest_are_of_the_same_community(method: Method) -> None:
    rules = SMALL
    if method == "node2vec":
        rules = MethodRules(SMALL.skip_gram, WalkRules(8, 10, p=2.0, q=0.5))
    training = trained(method, planted(), rules)
    found = training.embeddings()
    assert len(found.item_ids) == COMMUNITIES * ITEMS_EACH
    assert found.vectors.shape == (len(found.item_ids), 16)
    assert same_community(found) >= 0.95
    assert np.abs(found.vectors.mean(axis=0)).max() < 1e-5
    assert training.losses[-1] < training.losses[0]
    assert training.pairs > 10_000


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_settles_everything(method: Method) -> None:
    rules = MethodRules(SMALL.skip_gram, WalkRules(1, 6), epochs=1)
    one, same = (trained(method, planted(users=60), rules).embeddings() for _ in range(2))
    assert (one.vectors == same.vectors).all()
    other = trained(method, planted(users=60), MethodRules(rules.skip_gram, rules.walks, 1, seed=1))
    assert not np.allclose(one.vectors, other.embeddings().vectors)


def test_an_item_without_a_click_is_near_its_kind() -> None:
    """By its features alone: nobody has clicked it."""
    training = Training("eges", planted(), SMALL, features((1 + ITEMS_EACH) * COMMUNITIES), READER)
    for _ in training.run():
        pass
    found = training.embeddings()
    cold = found.item_ids[-COMMUNITIES:]
    assert found.counts[-COMMUNITIES:].tolist() == [0] * COMMUNITIES
    assert (found.counts[:-COMMUNITIES] > 0).all()
    assert [community(item_id) for item_id in cold] == list(range(COMMUNITIES))
    units = found.vectors / np.linalg.norm(found.vectors, axis=1, keepdims=True)
    nearest = np.argsort(-(units[-COMMUNITIES:] @ units[:-COMMUNITIES].T), axis=1)[:, :10]
    groups = np.array([community(item_id) for item_id in found.item_ids[:-COMMUNITIES]])
    assert (groups[nearest] == np.arange(COMMUNITIES)[:, None]).mean() >= 0.95
    assert training.cold({"kind": "unheard of"}) is None


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_learn_is_said(method: Method) -> None:
    feed = ClickFeed(FeedRules(SessionRules(min_stay_ms=1_000)))
    for user, item, ts_ms in (("u", "a", 0), ("v", "b", 0), ("u", "c", 10)):
        feed.add(user, item, ts_ms)
    feed.finish()
    with pytest.raises(DatasetError, match=r"in 3 clicks \(left out: short_stays 1\)"):
        Training(method, feed, SMALL, {}, READER)


def test_the_log_forgets_the_oldest_visits_and_their_names() -> None:
    feed = ClickFeed(FeedRules(SessionRules(min_stay_ms=0), visits_kept=16))
    for number in range(40):
        feed.add("u", f"i{number}", number)
    sequences = feed.log.sequences()
    names = [feed.log.names.all[item] for item in sequences.items]
    assert names == [f"i{number}" for number in range(40 - len(names), 40)]
    assert 16 <= len(names) <= 18
    assert sequences.lengths.tolist() == [len(names)]
    assert feed.log.dropped == 40 - len(names)
    assert feed.left_out()["visits_dropped"] == feed.log.dropped

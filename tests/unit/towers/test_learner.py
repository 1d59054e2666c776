from __future__ import annotations

import io
import math
from typing import get_args

import numpy as np
import pytest
import torch

from schemas.events import FeatureValue, Item
from schemas.samples import SampleBatch
from schemas.score import session_marks
from schemas.settings import (
    FeatureSettings,
    Objective,
    Settings,
    TowerSettings,
    TrainerSettings,
)
from schemas.vectors import ANYONE, unpack_vector
from tests.unit.towers.samples import batch, sample
from towers.arrays import Floats, State, join_bags
from towers.learner import Learner

_CATEGORIES, _ITEMS, _USERS = 10, 300, 60
_BATCH = 32


def settings(**towers: object) -> Settings:
    values: dict[str, object] = {"dim": 16, "hidden": 16, "positives_weight": 0.0} | towers
    return Settings(
        towers=TowerSettings.model_validate(values), trainer=TrainerSettings(batch=_BATCH)
    )


def item(number: int, **features: FeatureValue) -> Item:
    return Item(f"i{number}", 1, features={"category": f"c{number % _CATEGORIES}", **features})


def clicks(seed: int, count: int, per_batch: int = 8) -> list[SampleBatch]:
    """User n likes the categories n and n + 1, and passes over what else is shown."""
    random = np.random.default_rng(seed)
    batches = []
    for start in range(0, count, per_batch):
        samples = []
        for number in range(start, start + per_batch):
            user = int(random.integers(_USERS))
            liked = (user + int(random.integers(2))) % _CATEGORIES
            taken = liked + _CATEGORIES * int(random.integers(_ITEMS // _CATEGORIES))
            passed = int(random.integers(_ITEMS))
            request = f"{seed}-{number}"
            context: dict[str, FeatureValue] = {"hour": float(number % 24)}
            samples.append(sample(f"u{user}", f"i{taken}", request, ts_ms=number, context=context))
            samples.append(sample(f"u{user}", f"i{passed}", request, "exposure_negative"))
        batches.append(batch(*samples, offset=start, exposures={f"i{passed}": 1}))
    return batches


def learn_all(learner: Learner, batches: list[SampleBatch]) -> list[float]:
    losses = []
    for one in batches:
        learner.observe([one])
        while report := learner.learn_many(_BATCH):
            losses.append(report.loss)
    return losses


def user_vectors(learner: Learner) -> Floats:
    ids = learner.world.users.ids()
    return np.stack([unpack_vector(r.vector) for _, r in learner.user_records(ids, 0)])


def test_planted_categories_are_learned_within_a_thousand_clicks() -> None:
    learner = Learner(settings())
    learner.put_items(item(number) for number in range(_ITEMS))
    learn_all(learner, clicks(seed=0, count=1_000))
    names = learner.world.catalogue.ids
    shares = []
    for user_id, record in learner.user_records(learner.world.users.ids(), 0):
        scores = learner.vectors @ unpack_vector(record.vector)
        best = np.argsort(-scores)[:20]
        liked = {int(user_id[1:]) % _CATEGORIES, (int(user_id[1:]) + 1) % _CATEGORIES}
        shares.append(np.mean([int(names[row][1:]) % _CATEGORIES in liked for row in best]))
    assert np.mean(shares) > 0.8  # at random: 0.2
    figures = learner.figures()
    # Two categories of ten hold 60 of 300 items: whoever knows them only has 50/60 at best.
    assert figures["recall_at_50"] > 0.5
    assert figures["recall_at_10"] < figures["recall_at_50"]


def test_a_click_moves_the_user_at_once_and_others_alike_after_learning() -> None:
    learner = Learner(settings())
    learner.put_items(item(number) for number in range(_ITEMS))
    learner.observe([batch(sample("u", "i3", "1"))])
    [(_, first)] = learner.user_records(["u"], 5)
    cosines = learner.vectors @ unpack_vector(first.vector)
    same = np.arange(_ITEMS) % _CATEGORIES == 3
    assert cosines[same].min() > cosines[~same].max()  # nothing was learned yet
    learner.observe([batch(sample("u", "i4", "2"))])
    [(_, second)] = learner.user_records(["u"], 6)
    assert second.vector != first.vector
    assert (second.latest, second.seen) == (["i4", "i3"], ["i4", "i3"])
    assert (second.refreshed_ms, second.trend_clock, second.scale) == (6, 2.0, 5.0)


def test_features_of_users_are_learned() -> None:
    """What a city likes is what a new user of that city is offered first."""
    learner = Learner(settings())
    learner.put_items(item(number) for number in range(_ITEMS))
    random = np.random.default_rng(0)
    for number in range(600):
        city = int(random.integers(_CATEGORIES))
        taken = city + _CATEGORIES * int(random.integers(_ITEMS // _CATEGORIES))
        context: dict[str, FeatureValue] = {"city": f"city-{city}"}
        learner.observe([batch(sample(f"u{number}", f"i{taken}", str(number), context=context))])
        if number % 8 == 7:
            learner.learn_many(_BATCH)
    cities, fresh = learner._model.user_features, Learner(settings())._model.user_features
    context = {"city": "city-0"}
    moved = cities.sums(join_bags([cities.encode(context)])) - fresh.sums(
        join_bags([fresh.encode(context)])
    )
    assert moved.norm() > 0.1  # it is not the items alone that turned to the cities
    shares = []
    for city in range(_CATEGORIES):
        context = {"city": f"city-{city}"}
        shown = sample("new", f"i{city + 5}", f"x{city}", "exposure_negative", city, 1.0, context)
        learner.observe([batch(shown)])
        [(_, record)] = learner.user_records(["new"], 0)
        best = np.argsort(-(learner.vectors @ unpack_vector(record.vector)))[:20]
        shares.append(np.mean(best % _CATEGORIES == city))
    assert np.mean(shares) > 0.8  # at random: 0.1


def test_a_new_item_is_recallable_from_its_features_before_its_first_click() -> None:
    learner = Learner(settings())
    learner.put_items(item(number) for number in range(_ITEMS))
    learn_all(learner, clicks(seed=0, count=800))
    learner.take_changed()
    learner.put_items([Item("fresh", 9, features={"category": "c4"}, attributes={"city": "x"})])
    [row] = learner.take_changed().tolist()
    fans = [f"u{number}" for number in range(_USERS) if number % _CATEGORIES == 4]
    ranks = []
    for _, record in learner.user_records(fans, 0):
        scores = learner.vectors @ unpack_vector(record.vector)
        ranks.append(int((scores > scores[row]).sum()))
    assert np.median(ranks) < 60  # the two liked categories hold 60 items of 301
    [message] = learner.item_vectors(np.array([row]), learner.current().counts, now_ms=3)
    assert (message.item_id, message.attributes, message.event_ts_ms) == ("fresh", {"city": "x"}, 9)
    assert np.linalg.norm(unpack_vector(message.vector)) == pytest.approx(1)


@pytest.mark.parametrize(
    "towers",
    [
        {},
        {"item_tower": "mlp", "user_tower": "dcn", "admit_after": 2, "expire_after_positives": 64},
        {"objective": "squared", "user_tower": "dot"},
    ],
    ids=str,
)
def test_a_restored_learner_goes_on_bit_for_bit(towers: dict[str, object]) -> None:
    chosen = settings(**towers).model_copy(
        update={"features": FeatureSettings(items={"price": "bucketed"}, user_id=bool(towers))}
    )
    one = Learner(chosen)
    one.put_items(item(number, price=float(number)) for number in range(_ITEMS))
    learn_all(one, clicks(seed=0, count=300))
    one.observe(clicks(seed=1, count=40, per_batch=40))  # some stay pending
    one.learn_many(_BATCH)
    assert one.pending
    other = Learner(chosen)
    other.load(through_disk(one.state()))
    one.refresh(np.arange(_ITEMS))  # as a restored one does
    for seed in (2, 3):
        one.put_items([item(7, price=-1.0), item(_ITEMS + seed)])
        other.put_items([item(7, price=-1.0), item(_ITEMS + seed)])
        batches = [*clicks(0, 16), *clicks(seed, 120)]  # the first were learned before
        assert learn_all(one, batches) == learn_all(other, batches)
        np.testing.assert_array_equal(one.vectors, other.vectors)
        np.testing.assert_array_equal(user_vectors(one), user_vectors(other))
    mine, theirs = one.figures(), other.figures()
    ranked = ("recall_at_10", "recall_at_50", "recall_ranked")  # pending ones went unranked
    assert {k: v for k, v in mine.items() if k not in ranked} == {
        k: v for k, v in theirs.items() if k not in ranked
    }
    assert mine["duplicates"] == 2 * 2 * 16


def through_disk(state: State) -> State:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: State = torch.load(buffer, weights_only=True)
    return loaded


def test_a_state_does_not_change_afterwards() -> None:
    learner = Learner(settings())
    learn_all(learner, clicks(seed=0, count=80))
    state = learner.state()
    before = through_disk(state)
    learn_all(learner, clicks(seed=1, count=80))
    one, other = Learner(settings()), Learner(settings())
    one.load(before)
    other.load(state)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert learn_all(one, clicks(5, 40)) == learn_all(other, clicks(5, 40))


@pytest.mark.parametrize(
    "towers",
    [
        {},
        {"uniform_negatives": 0},
        {"exposure_negatives": 0},
        {"exposure_negatives": 3},
        {"replay": 0},
        {"replay_buffer": 3},
        {"history": 1},
        {"history": 0},
        {"in_batch_negatives": False},
        {"logq": False},
        {"admit_after": 3, "expire_after_positives": 8},
        {"item_tower": "mlp", "user_tower": "dcn"},
        *({"objective": name, "user_tower": "sum"} for name in get_args(Objective)),
        *({"objective": name, "user_tower": "dot"} for name in get_args(Objective)),
        {
            "exposures_only": True,
            "in_batch_negatives": False,
            "uniform_negatives": 0,
            "exposure_negatives": 2,
        },
    ],
    ids=str,
)
@pytest.mark.parametrize("user_id", [False, True])
def test_no_corner_of_the_settings_gives_anything_but_numbers(
    towers: dict[str, object], user_id: bool
) -> None:
    features = FeatureSettings(user_id=user_id)
    learner = Learner(settings(**towers).model_copy(update={"features": features}))
    learner.observe([batch(sample("u", "only", "1"))])
    assert learner.learn_many(_BATCH) is not None
    losses = learn_all(learner, clicks(seed=0, count=40, per_batch=4))
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(np.linalg.norm(learner.vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(user_vectors(learner), axis=1), 1, rtol=1e-5)


def test_a_deleted_item_leaves_and_returns() -> None:
    learner = Learner(settings())
    learner.put_items([item(0), item(1)])
    learner.take_changed()
    learner.delete_items(["i1", "nobody", "i1"])
    assert learner.take_changed().tolist() == [1]
    assert learner.current().alive.tolist() == [True, False]
    learner.observe([batch(sample("u", "i1", "1"))])
    assert learner.learn_many(_BATCH) is not None
    assert not learner.current().alive[1]  # a late click brings nothing back
    learner.put_items([item(1)])
    assert learner.current().alive[1]
    assert learner.figures()["items"] == 2


def test_positives_beyond_the_buffer_are_counted_not_lost_in_silence() -> None:
    trainer = TrainerSettings(batch=32, waiting_positives=5)
    learner = Learner(settings(replay_buffer=10).model_copy(update={"trainer": trainer}))
    learner.observe([batch(*(sample("u", "a", str(number)) for number in range(25)))])
    assert learner.figures()["overrun"] == 10
    report = learner.learn_many(_BATCH)
    assert report is not None and report.learned == 15
    assert learner.learn_many(_BATCH) is None


def test_users_whom_no_sample_named_have_no_record() -> None:
    learner = Learner(settings())
    assert learner.user_records(["nobody"], 0) == []


def test_a_users_id_is_learned_where_nothing_else_tells_users_apart() -> None:
    """Without history, two users of the same features differ by their ids alone."""
    cosines = {}
    for user_id in (False, True):
        chosen = settings(history=0).model_copy(
            update={"features": FeatureSettings(user_id=user_id)}
        )
        learner = Learner(chosen)
        learner.put_items(item(number) for number in range(_ITEMS))
        for number in range(300):
            taken = number % 2 + _CATEGORIES * (number % (_ITEMS // _CATEGORIES))
            learner.observe([batch(sample(f"u{number % 2}", f"i{taken}", str(number)))])
            learner.learn_many(_BATCH)
        one, other = user_vectors(learner)
        cosines[user_id] = float(one @ other)
    assert cosines[False] == pytest.approx(1)
    assert cosines[True] < 0


def test_vectors_asked_for_are_those_that_are_told() -> None:
    learner = Learner(settings())
    learner.put_items(item(number) for number in range(_ITEMS))
    learn_all(learner, clicks(seed=0, count=200))
    ids = learner.world.users.ids()
    np.testing.assert_array_equal(learner.embed_users(ids), user_vectors(learner))
    learner.refresh(np.arange(_ITEMS))
    names = ["i7", "i2", "i7"]
    rows = [learner.world.catalogue.ids.index(name) for name in names]
    np.testing.assert_allclose(learner.embed_items(names), learner.vectors[rows], rtol=1e-5)
    with pytest.raises(KeyError, match="nothing"):
        learner.embed_items(["i1", "nothing"])


def test_it_ranks_by_the_score_of_the_messages_that_it_sends() -> None:
    learner = Learner(settings(positives_weight=0.3))
    learner.put_items(item(number) for number in range(40))
    learn_all(learner, [one for one in clicks(seed=0, count=300)])
    learner.delete_items(["i3"])
    [(_, record)] = learner.user_records(["u1"], 0)
    counts, catalogue = learner.current().counts, learner.world.catalogue
    expected = {}
    told_of_all = learner.item_vectors(np.arange(len(catalogue)), counts, 0)
    for name, told in zip(catalogue.ids, told_of_all, strict=True):
        score = record.scale * float(unpack_vector(told.vector) @ unpack_vector(record.vector))
        for signal, count in told.counts.items():
            score += record.weights[signal] * math.log1p(count / 0.1)
        marks = {
            "similar": record.similar,
            "together": record.together,
            "pairs": record.pairs,
            **session_marks(record.latest),
        }
        marks |= {f"context:{feature}": one for feature, one in record.context.items()}
        score += sum(
            record.weights.get(mark, 0.0) * one.get(name, 0.0) for mark, one in marks.items()
        )
        if name != "i3" and name not in record.seen:
            expected[name] = score
    ranked = learner.rank("u1", 1_000)
    assert dict(ranked) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    scores = [score for _, score in ranked]
    assert scores == sorted(scores, reverse=True)
    assert learner.rank("u1", 5) == ranked[:5]
    assert len(learner.rank(ANYONE, 3)) == 3

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from schemas.settings import TowerSettings
from towers.arrays import Doubles, Floats
from towers.blend import COSINE, BlendWeights, chances, softmax_terms
from towers.pairs import Past
from towers.probes import Probe

_NAMES = ["positives@9", "exposures@9"]
_NO_PAST = Past(np.zeros(0, np.int64), np.zeros(0))
_TOWERS = TowerSettings(
    blend_against="catalogue",
    trend_half_lives=(9,),
    tau=0.2,
    positives_weight=0.7,
    exposures_weight=-0.2,
)


def probe(random: np.random.Generator, items: int) -> Probe:
    known = int(random.integers(items // 2, items + 1))
    item = int(random.integers(known))
    biases = random.random((2, known)).astype(np.float32)
    own = biases[:, item].copy()
    own[1] -= 0.5
    seen = random.choice(known, 4, replace=False)
    marked = random.choice(known, 3, replace=False)
    taken = seen[:2]
    return Probe(
        number=7,
        item=item,
        weight=1.0,
        seen=seen,
        taken=taken,
        names=_NAMES,
        biases=biases,
        own=own,
        marks={"similar": (marked, random.random(3)), "taken": (taken, np.ones(2))},
        past=_NO_PAST,
    )


def learned_blend() -> BlendWeights:
    """Weights for marks as well."""
    blend = BlendWeights(_TOWERS)
    marks = np.array([1.0, 0.0])
    for _ in range(3):
        blend.learn({"similar": marks, "taken": 0.3 * marks}, np.zeros(2), 0)
    return blend


def expected_scores(made: Probe, cosines: Floats, blend: BlendWeights) -> list[float]:
    weights = blend.weights()
    scores = []
    for row in range(made.known):
        score = blend.scale * float(cosines[row])
        for place, name in enumerate(_NAMES):
            value = made.own[place] if row == made.item else made.biases[place, row]
            score += weights[name] * float(value)
        for name, (rows, values) in made.marks.items():
            score += weights[name] * sum(values[rows == row].tolist())
        scores.append(score)
    return scores


@pytest.mark.parametrize("seed", range(20))
def test_ranks_as_sorting_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    made, blend = probe(random, 14), learned_blend()
    cosines = random.uniform(-1, 1, made.known).astype(np.float32)
    servable = random.random(14) < 0.8
    scores = made.scores(cosines, blend)
    expected = expected_scores(made, cosines, blend)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    hidden = () if made.item in made.seen else made.seen
    rivals = [
        scores[row]
        for row in range(made.known)
        if row != made.item and servable[row] and row not in hidden
    ]
    assert made.rank(scores, servable) == sum(rival >= scores[made.item] for rival in rivals)


def test_a_tie_counts_against_the_positive() -> None:
    nothing = np.zeros(0, np.int64)
    zeros = np.zeros((2, 3), np.float32)
    made = Probe(0, 1, 1.0, nothing, nothing, _NAMES, zeros, zeros[:, 1], {}, _NO_PAST)
    blend = BlendWeights(_TOWERS)
    scores = made.scores(np.ones(3, np.float32), blend)
    assert made.rank(scores, np.ones(3, np.bool_)) == 2


@pytest.mark.parametrize("seed", range(5))
def test_few_candidates_teach_by_the_whole_softmax(seed: int) -> None:
    random = np.random.default_rng(seed)
    made = probe(random, 40)
    cosines = random.uniform(-1, 1, made.known).astype(np.float32)
    servable = random.random(40) < 0.9
    blend, by_hand = learned_blend(), learned_blend()
    likely = np.exp(made.scores(cosines, blend))
    lesson = made.teach(blend, cosines, made.scores(cosines, blend), servable, _TOWERS)

    rows = [
        row
        for row in range(made.known)
        if row != made.item and servable[row] and (row not in made.seen or row in made.taken)
    ]
    rows.append(made.item)
    signals = {COSINE: cosines[rows].astype(float)}
    for place, name in enumerate(_NAMES):
        signals[name] = made.biases[place, rows].astype(float)
        signals[name][-1] = made.own[place]
    for name, (marked, values) in made.marks.items():
        dense = np.zeros(made.known)
        dense[marked] = values
        signals[name] = dense[rows]
    by_hand.learn(signals, np.zeros(len(rows)), len(rows) - 1)
    assert blend.weights() == pytest.approx(by_hand.weights())
    assert blend.scale == pytest.approx(by_hand.scale)
    wrong = {row: likely[row] / likely[rows].sum() - (row == made.item) for row in rows}
    unseen = {row: error for row, error in wrong.items() if row not in made.seen}
    found = dict(zip(lesson.chosen.tolist(), lesson.surprises.tolist(), strict=True))
    assert found == pytest.approx(unseen)


def test_a_sample_of_many_candidates_stands_for_all() -> None:
    """Means of the softmax over many samples are those over the whole catalogue."""
    random = np.random.default_rng(0)
    items = 3_000
    nothing = np.zeros(0, np.int64)
    biases = random.random((2, items)).astype(np.float32)
    cosines = random.uniform(-1, 1, items).astype(np.float32)
    weights = BlendWeights(_TOWERS)
    made = Probe(0, 5, 1.0, nothing, nothing, _NAMES, biases, biases[:, 5], {}, _NO_PAST)
    scores = made.scores(cosines, weights)
    signals = np.stack([cosines, *biases]).astype(float)
    start = np.array([5.0, 0.7, -0.2])
    exact, _ = softmax_terms(chances(start, signals, np.zeros(items)), signals, 5)

    gradients = []
    for number in range(300):
        blend = Recorder(_TOWERS)
        made._replace(number=number).teach(
            blend, cosines, scores, np.ones(items, np.bool_), _TOWERS
        )
        rows = np.stack([blend.signals[name] for name in (COSINE, *_NAMES)])
        likely = chances(start, rows, blend.shares)
        gradients.append(softmax_terms(likely, rows, blend.target)[0])
        assert math.exp(np.logaddexp.reduce(blend.shares)) == pytest.approx(items)
    np.testing.assert_allclose(np.mean(gradients, axis=0), exact, atol=0.02)
    assert len(blend.shares) == 64 + 128 + 1


class Recorder(BlendWeights):
    """Keeps what it was to learn from."""

    def learn(
        self,
        signals: Mapping[str, Doubles],
        shares: Doubles,
        target: int,
        importance: float = 1.0,
    ) -> Doubles:
        self.signals, self.shares, self.target = signals, shares, target
        return super().learn(signals, shares, target, importance)


def test_where_recall_decides_what_is_shown_each_counts_as_often_as_it_was_shown() -> None:
    random = np.random.default_rng(4)
    made = probe(random, 40)
    cosines = random.uniform(-1, 1, made.known).astype(np.float32)
    everything = np.ones(40, np.bool_)
    towers = _TOWERS.model_copy(update={"blend_against": "shown"})
    blend, plain = Recorder(towers), Recorder(_TOWERS)
    made.teach(blend, cosines, made.scores(cosines, blend), everything, towers)
    made.teach(plain, cosines, made.scores(cosines, plain), everything, _TOWERS)
    for name, values in plain.signals.items():
        np.testing.assert_array_equal(blend.signals[name], values)
    counts = 0.1 * np.expm1(blend.signals["exposures@9"])  # with the prior .1
    counts[-1] += 1  # the request that led to the click
    shares = np.exp(blend.shares) / np.exp(blend.shares).sum()
    np.testing.assert_allclose(shares, (counts + 0.1) / (counts + 0.1).sum(), rtol=1e-5)
    assert (plain.shares == 0).all()

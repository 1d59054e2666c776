from __future__ import annotations

import numpy as np
import pytest
import torch

from schemas.settings import TowerSettings
from towers.arrays import Doubles
from towers.blend import COSINE, BlendWeights, chances, softmax_terms


def test_gradient_and_hessian_are_those_of_autograd() -> None:
    random = np.random.default_rng(0)
    weights, signals = random.standard_normal(4), random.standard_normal((4, 9))
    shares = random.random(9)

    def loss(at: torch.Tensor) -> torch.Tensor:
        logits = at @ torch.from_numpy(signals) + torch.from_numpy(shares)
        return -torch.log_softmax(logits, 0)[3]

    at = torch.from_numpy(weights)
    gradient, information = softmax_terms(chances(weights, signals, shares), signals, 3)
    expected = torch.autograd.functional.jacobian(loss, at)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(gradient, expected.numpy(), atol=1e-12)
    hessian = torch.autograd.functional.hessian(loss, at)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(information, hessian.numpy(), atol=1e-12)


def test_extreme_scores_give_numbers() -> None:
    signals = np.array([[1e4, -1e4, 0.0]])
    likely = chances(np.array([50.0]), signals, np.zeros(3))
    gradient, information = softmax_terms(likely, signals, 1)
    assert gradient.tolist() == [2e4]
    assert np.isfinite(information).all()


_PLANTED = {COSINE: 3.0, "positives@10": 0.8, "exposures@10": -0.8, "similar": 2.0, "taken": -1.5}


def lists(seed: int, count: int) -> list[tuple[dict[str, Doubles], int]]:
    """Candidates with random signals, of which one is taken as the planted weights say."""
    random = np.random.default_rng(seed)
    made: list[tuple[dict[str, Doubles], int]] = []
    for _ in range(count):
        shown = random.exponential(1.0, 30)
        signals: dict[str, Doubles] = {
            COSINE: random.uniform(-1, 1, 30),
            "positives@10": 0.8 * shown + 0.4 * random.standard_normal(30),  # they go together
            "exposures@10": shown,
            "similar": random.random(30) * (random.random(30) < 0.2),
            "taken": (random.random(30) < 0.1).astype(np.float64),
        }
        scores = np.sum([weight * signals[name] for name, weight in _PLANTED.items()], axis=0)
        made.append((signals, int(np.argmax(scores + random.gumbel(size=30)))))
    return made


def test_planted_weights_are_found_from_any_beginning() -> None:
    for tau, positives_weight in ((0.2, 0.25), (5.0, 4.0)):
        towers = TowerSettings(tau=tau, positives_weight=positives_weight, trend_half_lives=(10,))
        blend = BlendWeights(towers)
        for signals, target in lists(0, 4_000):
            blend.learn(signals, np.zeros(30), target)
        found = blend.weights() | {COSINE: blend.scale}
        assert {name: found[name] for name in _PLANTED} == pytest.approx(_PLANTED, abs=0.25)
        assert found["recent"] == 0.0


def test_weights_follow_a_world_that_changes() -> None:
    blend = BlendWeights(TowerSettings(trend_half_lives=(10,)))
    for signals, target in lists(0, 4_000):
        blend.learn(signals, np.zeros(30), target)
    for signals, target in lists(1, 8_000):
        turned = signals | {COSINE: -signals[COSINE]}
        blend.learn(turned, np.zeros(30), target)
    assert blend.scale == pytest.approx(-3.0, abs=0.5)


def test_weights_that_are_not_learned_stay() -> None:
    towers = TowerSettings(learn_blend=False, tau=0.5, exposures_weight=-1.0)
    blend = BlendWeights(towers)
    learned = BlendWeights(TowerSettings())
    signals, target = lists(0, 1)[0]
    learned.learn(signals, np.zeros(30), target)
    before = blend.weights()
    blend.learn(signals, np.zeros(30), target)
    blend.load(learned.state())
    assert (blend.weights(), blend.scale) == (before, 2.0)
    assert before["exposures@5000"] == -1.0


def test_a_restored_one_goes_on_bit_for_bit() -> None:
    one = BlendWeights(TowerSettings())
    stream = lists(0, 60)
    for signals, target in stream[:30]:
        one.learn(signals | {"context:city": np.ones(30)}, np.zeros(30), target)
    other = BlendWeights(TowerSettings())
    other.load(one.state())
    for signals, target in stream[30:]:
        for each in (one, other):
            each.learn(signals, np.zeros(30), target, importance=0.5)
    assert (one.weights(), one.scale) == (other.weights(), other.scale)
    assert "context:city" in other.weights()


def test_a_surprise_moves_no_weight_by_more_than_one() -> None:
    blend = BlendWeights(TowerSettings(trend_half_lives=(10,)))
    before = blend.weights()
    blend.learn({"similar": np.array([0.0, 1e6])}, np.zeros(2), 1)
    assert abs(blend.weights()["similar"] - before["similar"]) <= 1.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from schemas.events import FeatureValue
from towers.features import FeatureReader
from towers.graph.pairs import pairs, thinned
from towers.graph.rows import Rows
from towers.graph.side_information import SideInformation
from towers.graph.side_inputs import SideInputs
from towers.graph.skip_gram import ItemInputs, SkipGram, SkipGramRules, gradients_of, loss_of
from towers.graph.visit_log import Sequences

READER = FeatureReader({}, 16)


def test_gradients_are_those_of_autograd() -> None:
    torch.manual_seed(0)
    centres, neighbours = torch.randn(7, 5), torch.randn(7, 5)
    negatives, weights = torch.randn(4, 5), torch.rand(7, 4)
    weights[2, 1] = 0.0
    leaves = [one.clone().requires_grad_() for one in (centres, neighbours, negatives)]
    u, v, n = leaves
    loss = -F.logsigmoid((u * v).sum(1)).sum() - (weights * F.logsigmoid(-u @ n.T)).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    found = gradients_of(centres, neighbours, negatives, weights)
    told = loss_of(centres, neighbours, negatives, weights)
    assert told == pytest.approx(loss.item(), rel=1e-5)
    for leaf, by_hand in zip(leaves, found, strict=True):
        assert leaf.grad is not None
        torch.testing.assert_close(by_hand, leaf.grad, rtol=1e-4, atol=1e-5)


class Recorded(Rows):
    """Keeps the gradients instead of taking a step."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__(weight, 0.0)
        self.gradient = torch.zeros_like(weight)

    def descend(self, index: torch.Tensor, gradients: torch.Tensor) -> None:
        self.gradient.index_add_(0, index, gradients)


ITEMS: list[dict[str, FeatureValue]] = [
    {"kind": "a", "tags": ["x", "y"]},
    {"kind": "b"},
    {"tags": ["y", "z", "x"]},
    {},
]


def side_inputs(dim: int = 3) -> SideInputs:
    chance = torch.Generator().manual_seed(1)
    made = SideInputs(ITEMS, SideInformation(ITEMS, READER), dim, 0.1, chance)
    made.ids, made.tokens = (Recorded(torch.randn(n, dim, generator=chance)) for n in (4, 5))
    made.attention = Recorded(torch.randn(4, 3, generator=chance))
    return made


# kind=a, tags=x, tags=y, kind=b, tags=z, as the items bring them
_TOKENS = {0: ([0], [1, 2]), 1: ([3], []), 2: ([], [2, 4, 1]), 3: ([], [])}


def by_definition(
    item: int, ids: torch.Tensor, tokens: torch.Tensor, attention: torch.Tensor
) -> torch.Tensor:
    """Equation 6 of the EGES paper for one item, over the slots that it has."""
    slots, logits = [ids[item]], [attention[item, 0]]
    for field, named in enumerate(_TOKENS[item]):
        if named:
            slots.append(tokens[named].mean(0))
            logits.append(attention[item, 1 + field])
    powers = torch.stack(logits).exp()
    return (powers.unsqueeze(1) * torch.stack(slots)).sum(0) / powers.sum()


def test_side_information_and_its_gradients_are_those_of_the_definition() -> None:
    made = side_inputs()
    items = torch.tensor([0, 2, 0, 3, 1])
    leaves = [
        rows.weight.clone().requires_grad_() for rows in (made.ids, made.tokens, made.attention)
    ]
    expected = torch.stack([by_definition(item, *leaves) for item in items.tolist()])
    found = made.vectors(items)
    torch.testing.assert_close(found, expected.detach())
    pull = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    (expected * pull).sum().backward()  # type: ignore[no-untyped-call]
    made.learn(items, pull)
    for leaf, rows in zip(leaves, (made.ids, made.tokens, made.attention), strict=True):
        assert isinstance(rows, Recorded)
        assert leaf.grad is not None
        torch.testing.assert_close(rows.gradient, leaf.grad, rtol=1e-4, atol=1e-6)


def test_attention_by_hand_and_a_cold_item() -> None:
    """Shares of e^0 : e^ln 2 : e^ln 3 are 1/6, 2/6, 3/6; a cold item is the plain mean."""
    made = side_inputs(dim=2)
    made.ids.weight[0] = torch.tensor([6.0, 0.0])
    made.tokens.weight[0] = torch.tensor([0.0, 3.0])  # kind=a
    made.tokens.weight[1] = torch.tensor([4.0, 0.0])  # tags=x
    made.tokens.weight[2] = torch.tensor([0.0, 2.0])  # tags=y; their mean is (2, 1)
    made.attention.weight[0] = torch.tensor([0.0, math.log(2), math.log(3)])
    assert made.vectors(torch.tensor([0]))[0].tolist() == pytest.approx([2.0, 1.5])
    cold = made.cold({"kind": "a", "tags": ["x", "y", "never seen"], "other": "a"})
    assert cold is not None
    assert cold.tolist() == pytest.approx([1.0, 2.0])
    assert made.cold({"kind": "never seen"}) is None
    assert made.cold({}) is None


def test_numbers_are_buckets_with_as_many_values_each() -> None:
    items: list[dict[str, FeatureValue]] = [{"year": year} for year in range(160)]
    side = SideInformation(items, READER)
    assert (side.fields, side.tokens) == (1, 16)
    counts = np.bincount([int(side.of(one)[0][0]) for one in items])
    assert counts.tolist() == [10] * 16
    assert side.of({"year": -5})[0].tolist() == side.of({"year": 0})[0].tolist()


def test_row_wise_adagrad_adds_the_gradients_of_a_row() -> None:
    rows = Rows(torch.zeros(3, 2), 0.1)
    rows.descend(torch.tensor([1, 1]), torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    root = math.sqrt((3**2 + 4**2) / 2)
    assert rows.weight[1].tolist() == pytest.approx([-0.3 / root, -0.4 / root])
    rows.descend(torch.tensor([1]), torch.tensor([[3.0, 4.0]]))
    after = 0.1 / root + 0.1 / math.sqrt(2 * root**2)
    assert rows.weight[1].tolist() == pytest.approx([-3 * after, -4 * after])
    assert not rows.weight[[0, 2]].any()


def test_negatives_are_drawn_by_visits_to_the_power() -> None:
    rules = SkipGramRules(dim=2, drawn=50_000, power=0.5)
    random, visits = np.random.default_rng(0), np.array([0.0, 1.0, 4.0, 9.0])
    inputs = ItemInputs(4, 2, 0.1, torch.Generator().manual_seed(0))
    drawn = SkipGram(inputs, visits, rules, random)._draw()
    assert np.bincount(drawn) / 50_000 == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6], abs=0.01)


def test_the_neighbour_itself_is_no_negative() -> None:
    """With one item to draw, a pair of it has no negative at all: only its rows come closer."""
    rules = SkipGramRules(dim=2, drawn=8)
    inputs = ItemInputs(2, 2, 0.1, torch.Generator().manual_seed(0))
    model = SkipGram(inputs, np.array([0.0, 1.0]), rules, np.random.default_rng(0))
    pair = np.array([0]), np.array([1])
    assert model.loss(*pair) == pytest.approx(math.log(2))
    model.learn(*pair)
    assert model.loss(*pair) < math.log(2)


def test_pairs_are_within_the_window_and_never_across_sequences() -> None:
    sequences = Sequences(np.array([0, 1, 2, 3, 9, 8, 9]), np.array([4, 3]))
    random = np.random.default_rng(0)
    seen: dict[tuple[int, int], int] = {}
    rounds = 4_000
    for _ in range(rounds):
        for pair in zip(*(one.tolist() for one in pairs(sequences, 2, random)), strict=True):
            seen[pair] = seen.get(pair, 0) + 1
    near = {(0, 1), (1, 2), (2, 3), (8, 9)}
    far = {(0, 2), (1, 3)}  # not 9 with 9
    assert set(seen) == {pair for a, b in near | far for pair in ((a, b), (b, a))}
    for a, b in near:
        times = 2 if (a, b) == (8, 9) else 1
        assert seen[a, b] == seen[b, a] == times * rounds
    for a, b in far:  # a reach of 2 is drawn half the time
        assert seen[a, b] / rounds == pytest.approx(0.5, abs=0.05)


def test_thinning_keeps_each_item_by_its_chance() -> None:
    sequences = Sequences(np.array([0, 1] * 10_000), np.full(2_000, 10))
    kept = thinned(sequences, np.array([1.0, 0.25]), np.random.default_rng(0))
    counts = np.bincount(kept.items)
    assert counts[0] == 10_000
    assert counts[1] == pytest.approx(2_500, abs=250)
    assert len(kept.lengths) == 2_000 and kept.lengths.sum() == len(kept.items)
    assert (kept.lengths >= 5).all()

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F

from schemas.events import FeatureValue
from schemas.settings import FeatureKind, TowerSettings
from towers.arrays import Bags, join_bags
from towers.quantiles import BUCKETS
from towers.vocabulary import Vocabulary

_KINDS: dict[str, FeatureKind] = {"price": "numeric", "age": "bucketed", "stars": "log"}


def vocabulary(admit_after: int = 0) -> Vocabulary:
    settings = TowerSettings(dim=6, admit_after=admit_after)
    return Vocabulary(settings, _KINDS, text_buckets=100, seed=0)


def bags_of(words: Vocabulary, *features: Mapping[str, FeatureValue]) -> Bags:
    return join_bags([words.encode(one) for one in features])


def row(words: Vocabulary, name: str) -> torch.Tensor:
    key = words.table.find(name)
    assert key is not None
    return words.table.weight[words.table.rows(np.array([key]))][0]


def test_a_category_is_what_a_dense_layer_makes_of_its_one_hot_vector() -> None:
    words = vocabulary()
    names = ["red", "green", "blue"]
    sums = words.sums(bags_of(words, *({"colour": name} for name in names)))
    layer = torch.stack([row(words, f"colour={name}") for name in names])  # (values, dim)
    torch.testing.assert_close(sums, F.one_hot(torch.arange(3)).float() @ layer)


def test_numbers_are_read_by_what_is_known_when_they_are_read() -> None:
    words = vocabulary()
    bags = bags_of(words, {"price": 10.0, "colour": "red"})
    torch.testing.assert_close(words.sums(bags)[0], row(words, "colour=red"))
    for price in (30.0, 20.0):
        words.encode({"price": price})
    # Of 10, 20 and 30 the mean is 20 and the deviation 8.16: 10 lies 1.22 below.
    expected = row(words, "colour=red") - 1.5**0.5 * row(words, "price")
    torch.testing.assert_close(words.sums(bags)[0], expected)


def test_a_bucketed_number_has_the_row_of_its_bucket() -> None:
    words = vocabulary()
    ages = [float(age) for age in range(160)]
    bags = bags_of(words, *({"age": age, "price": 5.0} for age in ages))
    sums = words.sums(bags)
    torch.testing.assert_close(sums[0], row(words, "age"))
    for age in range(10, 160):
        torch.testing.assert_close(sums[age], row(words, f"age#{age * BUCKETS // 160}"))


def test_numeric_features_named_like_other_tokens_break_nothing() -> None:
    words = vocabulary()
    odd: dict[str, FeatureValue] = {"a=b": 1.0, "a": "b", "age#1": 3.0, "age": 4.0, "x": "y"}
    sums = words.sums(bags_of(words, odd, {"a": "b"}, {}))
    assert torch.isfinite(sums).all() and not sums[2].any()


def test_an_id_without_other_direction_has_one_of_its_own() -> None:
    words = vocabulary()
    described = join_bags([words.encode({"colour": "red"}, "x")])
    torch.testing.assert_close(words.sums(described)[0], row(words, "colour=red"))
    for number, features in enumerate(({}, {"price": 5.0})):
        alone = join_bags([words.encode(features, f"bare {number}")])
        assert words.sums(alone)[0].norm() > 0.1


def test_both_ways_of_summing_agree_and_learning_moves_what_was_read() -> None:
    words = vocabulary()
    features: list[dict[str, FeatureValue]] = [
        {"colour": "red", "age": 3, "price": 1.5},
        {"colour": ["red", "blue"], "price": 4.5},
        {},
    ]
    bags = bags_of(words, *features)
    sums, leaf = words.sums_to_learn(bags)
    before = words.sums(bags)
    torch.testing.assert_close(sums.detach(), before)
    sums[1].sum().backward()  # type: ignore[no-untyped-call]  # torch
    words.learn(leaf)
    after = words.sums(bags)
    assert (after[1] < before[1]).all() and not after[2].any()


def test_a_vocabulary_goes_on_from_its_state() -> None:
    words, again = vocabulary(admit_after=2), vocabulary(admit_after=2)
    for number in range(50):
        words.encode({"price": number, "age": number % 7, "colour": f"c{number % 3}"}, f"{number}")
    again.load(words.state())
    one, other = (
        join_bags([each.encode({"price": 3, "age": 4, "colour": "c1"}, "7")])
        for each in (words, again)
    )
    torch.testing.assert_close(words.sums(one), again.sums(other), rtol=0, atol=0)

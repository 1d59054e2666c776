from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import FeatureValue
from schemas.settings import FeatureSettings, TowerSettings
from towers.item_tower import ItemTower
from towers.meeting import by_cosine, by_product

_features = st.dictionaries(
    st.sampled_from(["category", "tags", "price"]),
    st.one_of(
        st.sampled_from(["a", "b"]),
        st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
        st.floats(-100, 100),
    ),
)


def tower(features: FeatureSettings | None = None, **towers: object) -> ItemTower:
    chosen = TowerSettings.model_validate({"dim": 6, "hidden": 8} | towers)
    meeting = by_product() if chosen.user_tower == "dot" else by_cosine()
    return ItemTower(chosen, features or FeatureSettings(), meeting, seed=0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), _features), min_size=1, max_size=12),
    st.sampled_from(["sum", "mlp"]),
    st.sampled_from(["mlp", "dot"]),
    st.integers(0, 1),
)
def test_every_vector_has_unit_length_whatever_the_features(
    puts: list[tuple[int, dict[str, FeatureValue]]],
    item_tower: str,
    user_tower: str,
    admit_after: int,
) -> None:
    items = tower(item_tower=item_tower, user_tower=user_tower, admit_after=admit_after)
    for item in range(3):
        items.put(item, f"i{item}", {})
    for item, features in puts:
        items.put(item, f"i{item}", features)
    vectors = items.vectors(np.arange(3))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_a_sum_is_the_id_row_plus_the_weighted_feature_rows() -> None:
    items = tower(FeatureSettings(items={"title": "text"}))
    items.put(0, "x", {"category": ["a", "b"], "title": "Two words"})
    table = items._vocabulary.table
    names = {"=x", "category=a", "category=b"}
    words = sorted(name for name in table._keys if name not in names)
    assert len(words) == 2 and all(name.startswith("title~") for name in words)

    def row(name: str) -> torch.Tensor:
        key = table.find(name)
        assert key is not None
        return table.weight[table.rows(np.array([key]))][0]

    expected = row("=x") + 0.5 * (row("category=a") + row("category=b"))
    expected = expected + (row(words[0]) + row(words[1])) / 2**0.5
    torch.testing.assert_close(items.sums(np.array([0]))[0], expected)


@pytest.mark.parametrize("admit_after", [0, 1])
def test_a_new_item_lies_where_its_features_say(admit_after: int) -> None:
    items = tower(admit_after=admit_after)
    for item, category in enumerate("aab"):
        items.put(item, f"i{item}", {"category": category})
        items.hit(np.array([item]), clock=item)  # else no category is known yet
    items.put(3, "new", {"category": "a"})
    vectors = items.vectors(np.array([0, 1, 2, 3]))
    torch.testing.assert_close(vectors[0], vectors[1])
    torch.testing.assert_close(vectors[0], vectors[3])
    assert (vectors[0] @ vectors[2]).item() < 0.99


def test_an_item_whose_row_expired_lies_where_its_features_say() -> None:
    items = tower(expire_after_positives=80, embedding_lr=1.0)
    for item, name in enumerate("xy"):
        items.put(item, name, {"category": "a"})
    both = np.array([0, 1])
    items.hit(both, clock=1)
    read = items.sums_to_learn(both)
    read.sums[0, 0].backward()  # type: ignore[no-untyped-call]  # torch
    items.learn(read)
    assert not torch.equal(items.sums(both)[0], items.sums(both)[1])
    for clock in range(10, 110, 10):
        items.hit(np.array([1]), clock)  # keeps the category alive, and y
    sums = items.sums(both)
    torch.testing.assert_close(sums[0], sums[1])  # y's own row was never moved
    assert sums[0].norm() > 0.1


def test_both_ways_of_summing_agree() -> None:
    items = tower()
    for index in range(5):
        items.put(index, f"i{index}", {"category": f"c{index % 2}", "price": float(index)})
    some = np.array([0, 2, 4])
    torch.testing.assert_close(items.sums_to_learn(some).sums.detach(), items.sums(some))

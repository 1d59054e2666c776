from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import FeatureValue
from schemas.settings import TowerSettings
from towers.item_tower import ItemTower

_SETTINGS = TowerSettings(dim=6)
_features = st.dictionaries(
    st.sampled_from(["category", "tags", "price"]),
    st.one_of(
        st.sampled_from(["a", "b"]),
        st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
        st.floats(-100, 100),
    ),
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), _features), min_size=1, max_size=12))
def test_every_vector_has_unit_length_whatever_the_features(
    puts: list[tuple[str, dict[str, FeatureValue]]],
) -> None:
    tower = ItemTower(_SETTINGS, {}, seed=0)
    for item_id, features in puts:
        tower.put(item_id, features)
    vectors = tower.vectors(np.arange(len(tower)))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(tower)))


def test_a_sum_is_the_id_row_plus_the_weighted_feature_rows() -> None:
    tower = ItemTower(_SETTINGS, {"title": "text"}, seed=0)
    row = tower.put("x", {"category": ["a", "b"], "title": "Two words"})
    table = tower._vocabulary.table

    def feature(key: str) -> torch.Tensor:
        found = table.find(key)
        assert found is not None
        return table.weight[found]

    expected = 0.5 * (feature("category=a") + feature("category=b"))
    expected = expected + (feature("title~two") + feature("title~words")) / 2**0.5
    torch.testing.assert_close(tower.sums(np.array([row]))[0], expected)


def test_a_new_item_lies_where_its_features_say() -> None:
    tower = ItemTower(_SETTINGS, {}, seed=0)
    same, twin, other = (
        tower.put("x", {"category": "a"}),
        tower.put("y", {"category": "a"}),
        tower.put("z", {"category": "b"}),
    )
    vectors = tower.vectors(np.array([same, twin, other]))
    torch.testing.assert_close(vectors[0], vectors[1])
    assert (vectors[0] @ vectors[2]).item() < 0.99


def test_both_ways_of_summing_agree() -> None:
    tower = ItemTower(_SETTINGS, {}, seed=0)
    for index in range(5):
        tower.put(f"i{index}", {"category": f"c{index % 2}", "price": float(index)})
    items = np.array([0, 2, 4])
    torch.testing.assert_close(tower.sums_to_learn(items).sums.detach(), tower.sums(items))

from __future__ import annotations

import pytest

from ops.evaluation.ablations import ABLATIONS
from ops.evaluation.stream import FeatureNames
from schemas.settings import Settings

_NAMES = FeatureNames(items=frozenset({"title", "year"}), users=frozenset({"age"}))


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_the_settings_to_others_that_are_valid(name: str) -> None:
    settings = Settings()
    changed = ABLATIONS[name].change(settings, _NAMES)
    assert changed != settings
    assert Settings.model_validate(changed.model_dump()) == changed


def test_no_two_ablations_are_the_same() -> None:
    changed = [one.change(Settings(), _NAMES) for one in ABLATIONS.values()]
    assert all(one not in changed[:index] for index, one in enumerate(changed))


def test_each_flaw_of_matrix_completion_is_mended_by_itself() -> None:
    whole = ABLATIONS["completion"].change(Settings(), _NAMES)
    assert whole.features.items == {"title": "ignore", "year": "ignore"}
    assert (whole.towers.user_tower, whole.towers.objective) == ("dot", "squared")
    assert whole.towers.exposures_only and whole.features.user_id

    features = ABLATIONS["completion-features"].change(Settings(), _NAMES)
    assert features.towers == whole.towers and not features.features.items
    negatives = ABLATIONS["completion-negatives"].change(Settings(), _NAMES)
    assert negatives.features == whole.features
    assert negatives.towers.uniform_negatives and negatives.towers.user_tower == "dot"
    cosine = ABLATIONS["completion-cosine"].change(Settings(), _NAMES)
    assert cosine.features == whole.features and cosine.towers.exposures_only
    assert (cosine.towers.user_tower, cosine.towers.objective) == ("mlp", "listwise")

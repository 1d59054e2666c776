from __future__ import annotations

import pytest

from ops.datasets.dataset import Dataset
from ops.evaluation.ablations import ABLATIONS, changed
from ops.evaluation.models import GROUPS, MODELS, chosen
from ops.evaluation.run import Task, fitting, tasks_of
from ops.evaluation.stream import FeatureNames
from ops.evaluation.sync import LIVE, NEVER
from schemas.errors import SettingsError
from schemas.settings import FeatureSettings, Settings, TowerSettings
from tests.unit.ops.evaluation.streams import SETTINGS

_NAMES = FeatureNames(frozenset({"title"}), frozenset({"age", "city"}))


def test_names_and_groups_in_the_order_asked_for() -> None:
    assert chosen("penstock,random,penstock") == ["penstock", "random"]
    assert chosen("ablations") == list(ABLATIONS)
    assert chosen("item-knn,baselines")[0] == "item-knn"
    assert set(chosen("baselines,penstock,ablations,embeddings,warm-starts")) == set(MODELS)
    assert set(GROUPS).isdisjoint(MODELS)


@pytest.mark.parametrize("text", ["", "penstok", "random,,penstock"])
def test_an_unknown_model_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(SettingsError, match="a model has a known name") as raised:
        chosen(text)
    assert "penstock" in str(raised.value)


def test_models_without_a_seed_or_an_interval_run_once() -> None:
    groups = tasks_of(["popularity", "random", "penstock"], [LIVE, NEVER], 2)
    assert groups == [
        [Task("popularity", LIVE, 0)],
        [Task("random", LIVE, 0), Task("random", LIVE, 1)],
        [Task("penstock", LIVE, 0), Task("penstock", LIVE, 1)],
        [Task("penstock", NEVER, 0), Task("penstock", NEVER, 1)],
    ]
    assert [group[0].title for group in groups[2:]] == [
        "penstock seed 0", "penstock @never seed 0",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_the_settings(name: str) -> None:
    settings = ABLATIONS[name].change(SETTINGS, _NAMES)
    assert settings != SETTINGS
    assert settings.labelling == SETTINGS.labelling


def test_without_features_every_one_is_ignored() -> None:
    features = ABLATIONS["no-features"].change(SETTINGS, _NAMES).features
    assert features.items == {"title": "ignore"}
    assert features.users == {"age": "ignore", "city": "ignore"}


def test_a_changed_section_is_checked() -> None:
    assert changed(SETTINGS, "towers", tau=0.5).towers.tau == 0.5
    for wrong in ({"tau": -1.0}, {"taw": 1.0}):
        with pytest.raises(ValueError, match="ta"):
            changed(SETTINGS, "towers", **wrong)


def test_titles_are_words_unless_the_settings_say_otherwise() -> None:
    films = Dataset("movielens-100k", [], [], 0, 0)
    assert fitting(SETTINGS, films).features.items == {"title": "text"}
    named = Settings(features=FeatureSettings(items={"title": "ignore", "year": "numeric"}))
    assert fitting(named, films).features.items == {"title": "ignore", "year": "numeric"}
    other = Dataset("csv", [], [], 0, 0)
    assert fitting(SETTINGS, other).features.items == {}


def test_a_log_is_set_against_the_catalogue_unless_the_settings_say_otherwise() -> None:
    log = Dataset("csv", [], [], 0, 0)
    assert Settings().towers.blend_against == "shown"
    assert fitting(Settings(), log).towers == TowerSettings(blend_against="catalogue")
    named = Settings(towers=TowerSettings(blend_against="shown", tau=0.5))
    assert fitting(named, log).towers == named.towers

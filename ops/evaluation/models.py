"""The models that can be evaluated, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ops.evaluation.ablations import ABLATIONS, Ablation, changed
from ops.evaluation.item_knn import ItemKnn
from ops.evaluation.matrix import MatrixCompletion
from ops.evaluation.popularity import Popularity, Random, clicks, exposures
from ops.evaluation.recommender import Recommender
from ops.evaluation.stream import NOTHING_BEFORE, Before, FeatureNames
from ops.evaluation.sync import SyncInterval
from schemas.errors import SettingsError
from schemas.settings import Settings

if TYPE_CHECKING:
    from towers.graph.methods import Method  # with torch, which takes a second

PENSTOCK = "penstock"

_ALL = 1_000_000


class Setup(NamedTuple):
    """What a model is built from."""

    settings: Settings
    features: FeatureNames
    sync: SyncInterval
    seed: int
    before: Before = NOTHING_BEFORE


class Model(NamedTuple):
    """A line of the result: how to build what is evaluated."""

    summary: str
    build: Callable[[Setup], Recommender]
    seeded: bool = False
    """Another seed gives another result."""
    synced: bool = False
    """It serves at the sync interval; the others always know everything."""


def chosen(text: str) -> list[str]:
    """Names of models, in the order asked for: names and groups with commas between.

    Raises SettingsError for an unknown one, with the closest known.
    """
    names: dict[str, None] = {}
    for name in text.split(","):
        group = GROUPS.get(name)
        if group is None and name not in MODELS:
            known = [*GROUPS, *MODELS]
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]!r}? Known" if close else "known"
            msg = f"a model has a known name; got {name!r}; {advice} are {', '.join(known)}"
            raise SettingsError(msg)
        names |= dict.fromkeys(group or [name])
    return list(names)


def _chain(ablation: Ablation | None = None) -> Callable[[Setup], Recommender]:
    def build(setup: Setup) -> Recommender:
        from ops.evaluation.chain import PenstockChain  # with torch, which takes a second

        settings = changed(setup.settings, "towers", seed=setup.settings.towers.seed + setup.seed)
        # At the data set's own pace a trainer has the time for each positive.
        settings = changed(settings, "trainer", ranked_per_poll=_ALL, paired_per_poll=_ALL)
        if ablation is not None:
            settings = ablation.change(settings, setup.features)
        return PenstockChain(settings, setup.sync)

    return build


def _embedded(method: Method) -> Callable[[Setup], Recommender]:
    def build(setup: Setup) -> Recommender:
        from ops.evaluation.embeddings import Embedded  # with torch, which takes a second

        return Embedded(setup.settings, method, setup.seed)

    return build


def _warm(method: Method) -> Callable[[Setup], Recommender]:
    def build(setup: Setup) -> Recommender:
        from ops.evaluation.chain import PenstockChain  # with torch, which takes a second
        from ops.evaluation.embeddings import warm_start

        seed = setup.settings.towers.seed + setup.seed
        settings = changed(setup.settings, "towers", seed=seed)
        warm = warm_start(settings, method, *setup.before, seed)
        return PenstockChain(settings, setup.sync, warm)

    return build


def _clicks(half_life: float | None) -> Callable[[Setup], Recommender]:
    def build(setup: Setup) -> Recommender:
        rules = setup.settings.labelling
        return Popularity(rules, clicks(rules), half_life)

    return build


_BASELINES: dict[str, Model] = {
    "random": Model("candidates in random order", lambda s: Random(s.seed), seeded=True),
    "popularity": Model("all clicks so far", _clicks(None)),
    "popularity-5000": Model("clicks, half-life 5,000 clicks", _clicks(5_000)),
    "popularity-500": Model("clicks, half-life 500 clicks", _clicks(500)),
    "popularity-50": Model("clicks, half-life 50 clicks", _clicks(50)),
    "exposures-12": Model(
        "exposures, half-life 12 clicks",
        lambda s: Popularity(s.settings.labelling, exposures, 12),
    ),
    "item-knn": Model(
        "cosine over co-clicks, of the latest items",
        lambda s: ItemKnn(s.settings.labelling, history=20, decay=0.9, window=20),
    ),
    "matrix-completion": Model(
        "dot product, squared loss, what was shown as zeros",
        lambda s: MatrixCompletion(s.settings.labelling, 0.1, 0.05, 0, s.seed),
        seeded=True,
    ),
    "matrix-completion-uniform": Model(
        "the same, with drawn items as zeros",
        lambda s: MatrixCompletion(s.settings.labelling, 0.3, 0.02, 20, s.seed),
        seeded=True,
    ),
}

_METHODS: dict[Method, str] = {
    "item2vec": "skip-gram over sessions",
    "deepwalk": "skip-gram over walks",
    "node2vec": "skip-gram over second-order walks",
    "eges": "skip-gram over walks along the clicks, with side information",
}
_EMBEDDINGS: dict[str, Model] = {
    name: Model(f"{summary}, alone", _embedded(name), seeded=True)
    for name, summary in _METHODS.items()
}
_WARM_STARTS: dict[str, Model] = {
    f"warm-{name}": Model(
        f"penstock, its items begun by {name}; see --pretrain-share",
        _warm(name),
        seeded=True,
        synced=True,
    )
    for name in _METHODS
}

MODELS: dict[str, Model] = {
    **_BASELINES,
    **_EMBEDDINGS,
    **_WARM_STARTS,
    PENSTOCK: Model("as the settings say", _chain(), seeded=True, synced=True),
    **{
        name: Model(ablation.summary, _chain(ablation), seeded=True, synced=True)
        for name, ablation in ABLATIONS.items()
    },
}

GROUPS: dict[str, list[str]] = {
    "baselines": list(_BASELINES),
    "ablations": list(ABLATIONS),
    "embeddings": list(_EMBEDDINGS),
    "warm-starts": list(_WARM_STARTS),
}
"""Names that stand for several."""

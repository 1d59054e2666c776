"""A whole evaluation: every model, interval and seed over one stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ops.datasets.dataset import Dataset
from ops.evaluation.ablations import changed
from ops.evaluation.judge import Judged, judge
from ops.evaluation.models import MODELS, Setup
from ops.evaluation.rows import Evaluated
from ops.evaluation.stream import Stream
from ops.evaluation.sync import LIVE, SyncInterval
from schemas.settings import Settings

_TEXTS = {"movielens-100k": ["title"], "mind": ["title"]}
"""Item features that are words, where the settings do not say what they are."""
_KEEP_OWN = ("mind", "csv")


class Task(NamedTuple):
    """One pass over the stream."""

    model: str
    sync: SyncInterval
    seed: int

    @property
    def title(self) -> str:
        """For people."""
        interval = "" if self.sync == LIVE else f" @{self.sync.name}"
        return f"{self.model}{interval} seed {self.seed}"


def tasks_of(models: Sequence[str], syncs: Sequence[SyncInterval], seeds: int) -> list[list[Task]]:
    """The passes, in groups that make one row: models that know no seed or interval run once."""
    return [
        [Task(name, sync, seed) for seed in range(seeds if MODELS[name].seeded else 1)]
        for name in models
        for sync in (syncs if MODELS[name].synced else [LIVE])
    ]


def excludes_own(dataset: str) -> bool:
    """Whether a user's own items are no candidates, where the command line does not say."""
    return dataset not in _KEEP_OWN


def fitting(settings: Settings, dataset: Dataset) -> Settings:
    """The settings, with what fits a log in place of what they leave open.

    Titles are words, and a taken item is set against the catalogue: others have decided what the
    users of a log were shown.
    """
    texts = {name: "text" for name in _TEXTS.get(dataset.name, ())}
    settings = changed(settings, "features", items=texts | dict(settings.features.items))
    if "blend_against" in settings.towers.model_fields_set:
        return settings
    return changed(settings, "towers", blend_against="catalogue")


def evaluate(
    settings: Settings,
    stream: Stream,
    groups: Sequence[Sequence[Task]],
    exclude_own: bool,
    started: Callable[[Task], Callable[[int], None]],
) -> Iterator[Evaluated]:
    """One result for each group, as soon as it is there.

    `started` is told of each pass, and gives what is told of its events.
    """
    for group in groups:
        judged: list[Judged] = []
        begun_s = time.perf_counter()
        for task in group:
            setup = Setup(settings, stream.features, task.sync, task.seed, stream.before)
            recommender = MODELS[task.model].build(setup)
            judged.append(judge(stream, recommender, exclude_own, started(task)))
        seconds = (time.perf_counter() - begun_s) / len(group)
        yield Evaluated(group[0].model, group[0].sync.name, judged, seconds)

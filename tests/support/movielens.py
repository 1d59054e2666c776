"""MovieLens 100K through a live stack, judged by the clicks that come after what was replayed."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import islice
from pathlib import Path

import pytest

from ops.datasets.cache import default_cache_dir
from ops.datasets.dataset import Dataset, DatasetOptions
from ops.datasets.registry import load_dataset
from schemas.errors import DatasetError
from schemas.recall import Range
from tests.support.command import penstock
from tests.support.live import Live
from tests.support.polling import eventually

_REPLAYED = 60_000
_RATE = 10_000
_K = 50
_FILMS = {"year": Range(gte=1900)}
"""Other tests' items have no year."""


def dataset() -> Dataset:
    """The data set, or a skipped test that says why it can't be had."""
    cache = default_cache_dir(os.environ, Path.home())
    try:
        return load_dataset("movielens-100k", DatasetOptions(cache, print))
    except DatasetError as error:
        pytest.skip(f"needs GroupLens or a package index that has recbole 1.2.1: {error}")


def replayed_then_recalled(live: Live) -> None:
    """Lists are free of what a user clicked, and find the user's next clicks far above chance."""
    films = dataset()
    learned = live.figure("trainer", "positives")
    arguments = ("replay", "movielens-100k", "--limit", str(_REPLAYED), "--rate", str(_RATE))
    done = penstock(*arguments, settings=live.settings)
    assert done.returncode == 0, done.stderr

    events = list(islice(films.events, _REPLAYED))
    clicks = sum(event.action == "click" for event in events)
    eventually(
        lambda: live.figures("trainer"),
        lambda seen: seen.get("positives") == learned + clicks and seen.get("pending") == 0,
        f"{clicks} clicks learned",
    )
    clicked: dict[str, list[str]] = defaultdict(list)
    later: dict[str, set[str]] = defaultdict(set)
    acted: dict[str, list[str]] = defaultdict(list)  # by clicks and views
    for number, event in enumerate(films.events):
        if event.action != "exposure" and number < _REPLAYED:
            acted[event.user_id].append(event.item_id)
        if event.action == "click" and number < _REPLAYED:
            clicked[event.user_id].append(event.item_id)
        elif event.action == "click":
            later[event.user_id].add(event.item_id)

    found = expected = 0.0
    for user in sorted(set(clicked) & set(later))[:60]:
        recalled = live.recalled(user, k=_K, filter=_FILMS)
        assert len(recalled) == _K
        assert not set(recalled) & set(clicked[user])
        record = live.user(user)
        assert record is not None
        assert record.latest == list(dict.fromkeys(reversed(acted[user])))[: len(record.latest)]
        found += len(set(recalled) & later[user])
        expected += _K * len(later[user]) / len(films.items)  # of a list drawn at random
    assert found > 3 * expected

from __future__ import annotations

import numpy as np
import pytest

from ops.evaluation.embeddings import Embedded, warm_start
from ops.evaluation.judge import judge
from ops.evaluation.metrics import hits
from schemas.errors import SettingsError
from schemas.events import Event, Item
from tests.unit.ops.evaluation.streams import SETTINGS, event, stream_of
from towers.graph.methods import METHODS, Method

GROUPS = 4


def sessions(clicks: int, items: int = 48) -> list[Event]:
    """Each user keeps to the items of one group; an exposure of any item comes with each click."""
    random = np.random.default_rng(0)
    events = []
    for number in range(clicks):
        user = int(random.integers(24))
        liked = user % GROUPS + GROUPS * int(random.integers(items // GROUPS))
        shown = f"i{random.integers(items)}"
        events.append(event("exposure", f"u{user}", shown, f"r{number}", number * 1_000))
        events.append(event("click", f"u{user}", f"i{liked}", f"r{number}", number * 1_000))
    return events


@pytest.mark.parametrize("method", METHODS)
def test_vectors_alone_find_the_group(method: Method) -> None:
    """A list of 12 could hold the whole group, and by chance holds a quarter of it."""
    found = judge(stream_of(sessions(900)), Embedded(SETTINGS, method, 0, 200), exclude_own=False)
    assert hits(found.ranks, 12)[-200:].mean() > 0.6


@pytest.mark.parametrize("method", METHODS)
def test_what_comes_later_changes_no_earlier_rank(method: Method) -> None:
    whole, part = (
        judge(stream_of(sessions(n)), Embedded(SETTINGS, method, 0, 30), exclude_own=False)
        for n in (120, 90)
    )
    np.testing.assert_array_equal(part.ranks, whole.ranks[: len(part.ranks)])
    assert part.ranks[-30:].any()


def test_a_warm_start_knows_the_earlier_clicks_alone() -> None:
    stream = stream_of(sessions(400), [Item(f"i{n}", 0) for n in range(48)])
    assert warm_start(SETTINGS, "item2vec", sessions(400), {}, 0).matched == 0
    with pytest.raises(SettingsError, match="it has 0 clicks and no two in one session"):
        warm_start(SETTINGS, "item2vec", *stream.before, 0)


def test_the_part_before_ends_with_a_request() -> None:
    from ops.datasets.dataset import Dataset
    from ops.evaluation.stream import Stream

    events = sessions(10)
    dataset = Dataset("test", [], events, len(events), 10)
    stream = Stream(dataset, SETTINGS.labelling, None, before_share=0.45)
    assert len(stream.before.events) == 10  # nine would part a click from its exposure
    assert (stream.events, stream.clicks) == (10, 5)
    assert [one for run in stream.runs() for one in run.events] == events[10:]
    assert Stream(dataset, SETTINGS.labelling, 8, 0.5).events == 4

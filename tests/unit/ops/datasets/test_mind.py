"""MIND: hand-made files in its format, and the sample where it lies beside the project."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from ops.datasets.dataset import Dataset, DatasetOptions
from ops.datasets.mind import load_mind
from schemas.errors import DatasetError
from schemas.events import Event, Item

SAMPLE = Path(__file__).parents[5] / "shared" / "data" / "mind"

BEHAVIORS = (
    "2\tU1\t11/12/2019 2:14:46 PM\tN9 N8\tN1-0 N2-1 N-3-1\n"
    "1\tU2\t11/9/2019 12:00:01 AM\t\tN1-0\n"
    "10\tU2\t11/12/2019 2:14:46 PM\t\tN2-0 N1-0\n"
)
NEWS = (
    "N1\tsports\tgolf\tA title, with a comma\tAbstract\thttp://x\t[]\t[]\n"
    "N2\tnews\tworld\t\t\t\t\t\n"
)


def _load(folder: Path, behaviors: str = BEHAVIORS, news: str = NEWS) -> Dataset:
    (folder / "behaviors.tsv").write_text(behaviors, encoding="utf-8")
    (folder / "news.tsv").write_text(news, encoding="utf-8")
    return load_mind(DatasetOptions(folder / "cache", lambda line: None, folder))


def test_an_impression_is_a_request_whose_clicks_follow_its_exposures(tmp_path: Path) -> None:
    dataset = _load(tmp_path)
    early, late = 1573257601000, 1573568086000
    assert list(dataset.events) == [
        Event("exposure", "U2", "N1", "mind-1", early),
        Event("exposure", "U2", "N2", "mind-10", late),
        Event("exposure", "U2", "N1", "mind-10", late),
        Event("exposure", "U1", "N1", "mind-2", late),
        Event("exposure", "U1", "N2", "mind-2", late),
        Event("exposure", "U1", "N-3", "mind-2", late),
        Event("click", "U1", "N2", "mind-2", late),
        Event("click", "U1", "N-3", "mind-2", late),
    ]
    assert (dataset.events_total, dataset.clicks_total) == (8, 2)
    assert list(dataset.events) == list(dataset.events)


def test_news_are_items(tmp_path: Path) -> None:
    assert list(_load(tmp_path).items) == [
        Item(
            "N1",
            1573257601000,
            features={
                "category": "sports",
                "subcategory": "golf",
                "title": "A title, with a comma",
            },
            attributes={"category": "sports", "subcategory": "golf"},
        ),
        Item(
            "N2",
            1573257601000,
            features={"category": "news", "subcategory": "world"},
            attributes={"category": "news", "subcategory": "world"},
        ),
    ]


@pytest.mark.parametrize(
    ("behaviors", "told"),
    [
        ("1\tU\t11/9/2019 1:00:00 PM\tN1-0\n", "behaviors.tsv line 1: a line has 5 cells"),
        ("1\tU\t2019-11-09\t\tN1-0\n", "a time is like 11/12/2019 2:14:46 PM; got '2019-11-09'"),
        ("1\tU\t13/9/2019 1:00:00 PM\t\tN1-0\n", "a time is like"),
        ("1\tU\t11/9/2019 1:00:00 PM\t\tN1-0 N2\n", "items end in -0 or -1; got 'N2'"),
        ("1\tU\t11/9/2019 1:00:00 PM\t\tN1-2\n", "items end in -0 or -1; got 'N1-2'"),
        ("\n1\t\t11/9/2019 1:00:00 PM\t\tN1-0\n", "line 2: impression and user have an id"),
    ],
)
def test_a_bad_line_is_named_with_its_rule_and_value(
    tmp_path: Path, behaviors: str, told: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        _load(tmp_path, behaviors)
    assert told in str(caught.value)


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "behaviors.tsv").write_text("")
    with pytest.raises(DatasetError, match=r"no .*news\.tsv"):
        load_mind(DatasetOptions(tmp_path, lambda line: None, tmp_path))
    with pytest.raises(DatasetError, match="--path"):
        load_mind(DatasetOptions(tmp_path, lambda line: None))


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="needs the MIND sample in ../shared/data/mind")
def test_the_sample_has_its_known_counts() -> None:
    dataset = load_mind(DatasetOptions(SAMPLE, lambda line: None, SAMPLE))
    events = list(dataset.events)
    exposures = [event for event in events if event.action == "exposure"]
    clicks = {(event.request_id, event.item_id) for event in events if event.action == "click"}
    assert len({event.request_id for event in events}) == 3_058
    assert (len(exposures), len(clicks)) == (109_529, 4_562)
    assert (dataset.events_total, dataset.clicks_total) == (len(events), 4_562)
    assert len(dataset.items) == 634
    assert all(a.ts_ms <= b.ts_ms for a, b in pairwise(events))
    with (SAMPLE / "behaviors.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        marked = {
            (f"mind-{row[0]}", entry[:-2])
            for row in rows
            for entry in row[4].split(" ")
            if entry.endswith("-1")
        }
    assert clicks == marked

"""Data sets by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.datasets.dataset import DatasetOptions
from ops.datasets.registry import SOURCES, load_dataset, locate_dataset
from schemas.errors import DatasetError


def _say(line: str) -> None:
    raise AssertionError(line)


def test_an_unknown_name_lists_the_known_ones_and_the_closest(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset("movielens", DatasetOptions(tmp_path, _say))
    assert str(caught.value) == (
        "a data set has a known name; got 'movielens'; did you mean 'movielens-100k'? "
        "Known are movielens-100k, mind, csv"
    )
    with pytest.raises(DatasetError, match="got 'x'; known are movielens-100k, mind, csv"):
        locate_dataset("x", DatasetOptions(tmp_path, _say))


def test_a_known_name_is_located_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("action,user_id,item_id,request_id,ts_ms\nclick,u,i,r,1\n")
    options = DatasetOptions(tmp_path, _say, path)
    assert locate_dataset("csv", options) == path
    assert load_dataset("csv", options).clicks_total == 1


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "csv"])
def test_items_are_refused_where_they_mean_nothing(tmp_path: Path, name: str) -> None:
    options = DatasetOptions(tmp_path, _say, tmp_path, tmp_path / "items.csv")
    with pytest.raises(DatasetError, match="--items goes with csv alone"):
        load_dataset(name, options)

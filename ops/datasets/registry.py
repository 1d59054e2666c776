"""The data sets by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ops.datasets.csv_files import load_csv, locate_csv
from ops.datasets.dataset import Dataset, DatasetOptions
from ops.datasets.mind import load_mind, locate_mind
from ops.datasets.movielens import load_movielens
from ops.datasets.movielens_files import locate_movielens
from schemas.errors import DatasetError


class Source(NamedTuple):
    """How one data set is found and read."""

    summary: str
    """One line for `--help`."""
    locate: Callable[[DatasetOptions], Path]
    """Where its files are, fetched if need be. Raises DatasetError."""
    load: Callable[[DatasetOptions], Dataset]
    """The data set; locates it first. Raises DatasetError."""
    takes_items: bool = False
    """Whether `DatasetOptions.items` means anything to it."""


SOURCES: dict[str, Source] = {
    "movielens-100k": Source(
        "100,000 ratings of films; found by itself, or a folder or zip file by --path",
        locate_movielens,
        load_movielens,
    ),
    "mind": Source(
        "Microsoft News impressions: a folder with behaviors.tsv and news.tsv by --path",
        locate_mind,
        load_mind,
    ),
    "csv": Source(
        "your own events: a file by --path, and one of items by --items if you have it",
        locate_csv,
        load_csv,
        takes_items=True,
    ),
}


def locate_dataset(name: str, options: DatasetOptions) -> Path:
    """Where the files of a data set are. Raises DatasetError, also for an unknown name."""
    return _source(name, options).locate(options)


def load_dataset(name: str, options: DatasetOptions) -> Dataset:
    """The data set of that name. Raises DatasetError, also for an unknown name."""
    return _source(name, options).load(options)


def _source(name: str, options: DatasetOptions) -> Source:
    source = SOURCES.get(name)
    if source is None:
        close = difflib.get_close_matches(name, SOURCES, n=1)
        advice = f"did you mean {close[0]!r}? Known" if close else "known"
        msg = f"a data set has a known name; got {name!r}; {advice} are {', '.join(SOURCES)}"
        raise DatasetError(msg)
    if options.items is not None and not source.takes_items:
        msg = f"--items goes with csv alone; {name} has its own items; got {options.items}"
        raise DatasetError(msg)
    return source

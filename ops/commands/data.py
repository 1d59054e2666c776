"""`penstock data`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import AsJson
from ops.console import err, out, print_json
from ops.datasets.cache import default_cache_dir
from ops.datasets.dataset import DatasetOptions
from ops.datasets.registry import SOURCES, locate_dataset

DatasetName = Annotated[str, typer.Argument(help=f"One of {', '.join(SOURCES)}.")]

DatasetPath = Annotated[
    Path | None, typer.Option(help="Your own copy: a folder, or the file of csv.")
]


def data(dataset: DatasetName, path: DatasetPath = None, as_json: AsJson = False) -> None:
    """Find a data set's files, fetching them where that can be done, and tell where they are.

    `movielens-100k` is looked for at `--path`, then at GroupLens, then inside the wheel of
    recbole 1.2.1 on the package index. `mind` and `csv` need `--path`.

    **Example**: `penstock data movielens-100k`
    """
    options = DatasetOptions(
        default_cache_dir(os.environ, Path.home()), lambda line: err.print(line), path
    )
    found = locate_dataset(dataset, options)
    if as_json:
        print_json({"dataset": dataset, "path": str(found)})
    else:
        out.print(str(found), soft_wrap=True)


def dataset_options(path: Path | None, items: Path | None = None) -> DatasetOptions:
    """What this command line says about a data set."""
    cache_dir = default_cache_dir(os.environ, Path.home())
    return DatasetOptions(cache_dir, lambda line: err.print(line), path, items)

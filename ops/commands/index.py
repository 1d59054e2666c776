"""`penstock index`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ops.commands.options import AsJson
from ops.console import out, print_json
from schemas.settings import load_settings

index = typer.Typer(no_args_is_help=True, help="The index by hand.")


class Loaded(msgspec.Struct, frozen=True):
    """What was written to `item-vectors`."""

    method: str
    items: int
    deleted: int
    """Items of the index that the file does not have."""
    without_direction: int
    """Items whose vector is zero, which no inner product finds: left out."""
    seconds: float


@index.callback()
def group() -> None:
    """The index by hand."""


@index.command()
def load(
    vectors: Annotated[Path, typer.Argument(help="A file of `penstock pretrain`.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where a trainer has published vectors.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill the index with the vectors of a file, and with nothing else; no trainer is needed.

    The plain scheme: item vectors in a store, a user as the mean of recent items (`penstock recall
    --item NEWEST --item OLDER`), nearest by inner product. Vectors are brought to length 1, as all
    in the index. Attributes and availability are those of the topic `items`. A trainer that runs
    or starts later publishes its own vectors over these.

    **Examples**

    `penstock index load vectors.npz`

    `penstock index load vectors.npz --replace --json`
    """
    from ops.clicks import read_items  # with torch, which other commands need not wait for
    from ops.index_load import load_index
    from towers.graph.vector_file import read_vectors
    from towers.warm_start import check_dim

    settings = load_settings()
    content = read_vectors(vectors)
    check_dim(content, settings.towers, str(vectors))
    started_s = time.monotonic()
    items = read_items(settings, "items")
    done = load_index(settings, content, items, replace, time.time_ns() // 1_000_000)
    told = Loaded(
        content.method,
        done.written,
        done.deleted,
        done.without_direction,
        time.monotonic() - started_s,
    )
    if as_json:
        print_json(told)
    else:
        out.print(
            f"loaded {told.items} vectors of {told.method}, deleted {told.deleted}, left out "
            f"{told.without_direction} without direction, in {told.seconds:.1f} s"
        )

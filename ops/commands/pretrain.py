"""`penstock pretrain`."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import typer
from rich.table import Table

from ops.commands.options import AsJson
from ops.console import err, out, print_json
from ops.progress import progress
from schemas.errors import DatasetError
from schemas.settings import load_settings

if TYPE_CHECKING:
    from ops.clicks import Clicks

MethodName = StrEnum("MethodName", ["item2vec", "deepwalk", "node2vec", "eges"])


class Pretrained(msgspec.Struct, frozen=True):
    """What was learned."""

    method: str
    out: str
    items: int
    """With a vector."""
    cold_items: int
    """Of those, the ones by their features alone."""
    dim: int
    clicks: int
    left_out: dict[str, int]
    """Clicks, nodes and edges that do not count, by reason; refused and repeated events too."""
    sequences: int
    """Sessions or walks learned from."""
    pairs: int
    loss_first: float
    loss_last: float
    seconds: float
    """Of learning."""
    pairs_per_s: float


def pretrain(
    method: Annotated[MethodName, typer.Option(help="How vectors are learned.")],
    events: Annotated[
        str, typer.Option(metavar="FILE-OR-TOPIC", help="File of events; or events, positives.")
    ],
    to: Annotated[Path, typer.Option("--out", metavar="VECTORS", help="File to write.")],
    items: Annotated[
        str | None,
        typer.Option(metavar="FILE-OR-TOPIC", help="eges: file of items, or the topic items."),
    ] = None,
    dim: Annotated[
        int | None, typer.Option(min=2, max=4096, help="[default: towers.dim of the settings]")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="item2vec: passes over the sessions.")] = 10,
    walks: Annotated[int, typer.Option(min=1, help="Others: walks from each item.")] = 10,
    walk_length: Annotated[int, typer.Option(min=2, help="Items of a walk.")] = 40,
    p: Annotated[float, typer.Option(min=0.001, help="node2vec: going back weighs 1/p.")] = 1.0,
    q: Annotated[float, typer.Option(min=0.001, help="node2vec: going away weighs 1/q.")] = 1.0,
    window: Annotated[int, typer.Option(min=1, help="Neighbours on each side.")] = 5,
    gap_ms: Annotated[
        int, typer.Option("--session-gap-ms", min=0, help="A longer pause ends a session.")
    ] = 3_600_000,
    min_stay_ms: Annotated[
        int, typer.Option(min=0, help="A click followed sooner is noise; 0 keeps all.")
    ] = 1_000,
    active_clicks: Annotated[
        int, typer.Option(min=1, help="Most clicks of a user in 90 days that are believed.")
    ] = 3_500,
    half_life_days: Annotated[
        float, typer.Option(min=0.001, help="Age at which an edge of the graph weighs half.")
    ] = 30.0,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn item vectors from clicks, to start the towers or to fill an index with.

    item2vec learns from sessions, the others from walks over the graph of items clicked one after
    the other; eges also from items' features, and gives items without clicks a vector too. What
    they are worth is in docs/embeddings.md.

    **Examples**

    `penstock pretrain --method item2vec --events events.jsonl --out vectors.npz`

    `penstock pretrain --method eges --events events --items items --out vectors.npz`

    `penstock pretrain --method node2vec -p 0.5 -q 2 --events positives --out vectors.npz --json`

    Then `PENSTOCK_TOWERS__WARM_START=vectors.npz penstock up`, or
    `penstock index load vectors.npz`.
    """
    import torch  # takes a second, which other commands need not wait for

    from ops.clicks import Clicks, read_items
    from towers.features import FeatureReader
    from towers.graph.click_feed import ClickFeed, FeedRules
    from towers.graph.item_graph import GraphRules
    from towers.graph.methods import Method, MethodRules, Training
    from towers.graph.sessions import SessionRules
    from towers.graph.skip_gram import SkipGramRules
    from towers.graph.sources import WalkRules
    from towers.graph.vector_file import VectorFile, write_vectors

    torch.set_num_threads(1)  # as the trainer does; small batches gain nothing from more
    if (items is None) == (method == MethodName.eges):
        msg = (
            "--items goes with eges, which needs it, and with no other method; got "
            f"{'none' if items is None else items} with {method.value}; "
            f"{'name a file, or the topic items' if items is None else 'leave it out'}"
        )
        raise DatasetError(msg)
    settings = load_settings()
    feed = ClickFeed(
        FeedRules(
            SessionRules(gap_ms, min_stay_ms, active_clicks),
            GraphRules(half_life_ms=half_life_days * 86_400_000),
        )
    )
    clicks = Clicks(settings, events)
    for sample in clicks:
        feed.add(sample.user_id, sample.item_id, sample.ts_ms)
    feed.finish()
    rules = MethodRules(
        SkipGramRules(dim=dim or settings.towers.dim, window=window),
        WalkRules(walks, walk_length, p, q),
        epochs=epochs,
        seed=seed,
    )
    known = {} if items is None else read_items(settings, items)
    features = {item_id: item.features for item_id, item in known.items()}
    training = Training(
        cast(Method, method.value),
        feed,
        rules,
        features,
        FeatureReader(settings.features.items, settings.features.text_buckets),
    )
    started_s = time.monotonic()
    with progress(f"learning {method.value}", training.total, "sequences") as advance:
        for done in training.run():
            advance(done)
    seconds = time.monotonic() - started_s
    found = training.embeddings()
    write_vectors(to, VectorFile(found.method, found.item_ids, found.vectors, found.counts))
    told = Pretrained(
        method=method.value,
        out=str(to),
        items=len(found.item_ids),
        cold_items=int((found.counts == 0).sum()),
        dim=found.vectors.shape[1],
        clicks=feed.clicks,
        left_out=_left_out(feed.left_out(), clicks),
        sequences=training.total,
        pairs=training.pairs,
        loss_first=training.losses[0],
        loss_last=training.losses[-1],
        seconds=seconds,
        pairs_per_s=training.pairs / max(seconds, 1e-9),
    )
    if as_json:
        print_json(told)
    else:
        _show(told)
    short = told.left_out.get("short_stays", 0)
    if 2 * short > feed.clicks:
        err.print(
            f"{short} of {feed.clicks} clicks were followed by another within {min_stay_ms} ms; if "
            "the log's times are no finer, --min-stay-ms 0 keeps them"
        )


def _left_out(counted: dict[str, int], clicks: Clicks) -> dict[str, int]:
    refused = {f"refused_{reason}": count for reason, count in clicks.refused.items()}
    every = counted | refused | {"duplicates": clicks.duplicates}
    return {name: count for name, count in every.items() if count}


def _show(told: Pretrained) -> None:
    table = Table("", "count", show_header=False)
    for name in ("items", "cold_items", "dim", "clicks", "sequences", "pairs"):
        table.add_row(name.replace("_", " "), f"{getattr(told, name):,}")
    for name, count in told.left_out.items():
        table.add_row(f"left out: {name.replace('_', ' ')}", f"{count:,}")
    out.print(table)
    out.print(
        f"{told.method}: loss {told.loss_first:.3f} to {told.loss_last:.3f}, {told.seconds:.1f} s, "
        f"{told.pairs_per_s:,.0f} pairs/s; wrote {told.out}"
    )

"""`penstock evaluate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ops.commands.data import DatasetPath, dataset_options
from ops.commands.options import AsJson
from ops.console import err, out, print_json
from ops.datasets.registry import SOURCES, load_dataset
from ops.evaluation import run
from ops.evaluation.charts import charts_of
from ops.evaluation.files import write_files
from ops.evaluation.models import GROUPS, MODELS, chosen
from ops.evaluation.picture import check_matplotlib
from ops.evaluation.report import report_of
from ops.evaluation.stream import Stream
from ops.evaluation.sync import parse_interval
from ops.evaluation.table import show_report, summary_line
from schemas.settings import load_settings

_DEFAULT_MODELS = "random,popularity,popularity-500,item-knn,matrix-completion,penstock"
_PLAIN_PERIOD_S = 10.0


def evaluate(
    dataset: Annotated[str, typer.Option(help=f"One of {', '.join(SOURCES)}.")] = "movielens-100k",
    path: DatasetPath = None,
    items: Annotated[
        Path | None, typer.Option(help="csv only: a file of items beside the events.")
    ] = None,
    models: Annotated[
        str, typer.Option(help=f"With commas between: {', '.join([*GROUPS, *MODELS])}.")
    ] = _DEFAULT_MODELS,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Passes of each model that has a seed.")] = 1,
    sync_interval: Annotated[
        str,
        typer.Option(
            help="How often what is learned reaches serving, in event time: live, never, or like "
            "5m, 1h, 24h; several with commas between."
        ),
    ] = "live",
    exclude_own: Annotated[
        bool | None,
        typer.Option(
            "--exclude-own/--keep-own",
            help="Whether what a user clicked or was shown is no candidate. [default: excluded "
            "for movielens-100k, kept for mind and csv]",
        ),
    ] = None,
    pretrain_share: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            help="Share of the events that warm starts are learned from, and nobody is judged on.",
        ),
    ] = 0.0,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="A folder for evaluation.json, .html and .png."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what recall finds of the clicks that come next, against baselines.

    Prequential: each request is ranked before anything of it is known, then learned from; in the
    data set's order, in one pass, by the code that serves. Neither Kafka nor Redis is needed. The
    protocol is in docs/evaluation.md.

    **Examples**

    `penstock evaluate --dataset movielens-100k`

    `penstock evaluate --models penstock,ablations --seeds 3 --json`

    `penstock evaluate --models baselines,penstock --out results`

    `penstock evaluate --models penstock,warm-starts --pretrain-share 0.5`

    `penstock evaluate --dataset mind --path MINDsmall_train --sync-interval live,5m,1h,24h,never`
    """
    if to is not None:
        check_matplotlib()
    import torch  # takes a second, which other commands need not wait for

    torch.set_num_threads(1)  # as the trainer does
    names = chosen(models)
    intervals = [parse_interval(text) for text in sync_interval.split(",")]
    loaded = load_dataset(dataset, dataset_options(path, items))
    settings = run.fitting(load_settings(), loaded)
    stream = Stream(loaded, settings.labelling, limit, pretrain_share)
    excluded = run.excludes_own(dataset) if exclude_own is None else exclude_own
    groups = run.tasks_of(names, intervals, seeds)
    results = []
    with _progress(stream.events, sum(len(group) for group in groups)) as started:
        for result in run.evaluate(settings, stream, groups, excluded, started):
            results.append(result)
            err.print(summary_line(result), soft_wrap=True)
    report = report_of(dataset, stream, excluded, results)
    if to is not None:
        for path in write_files(to, report, charts_of(results, report.rows)):
            err.print(f"wrote {path}", soft_wrap=True)
    if as_json:
        print_json(report)
    else:
        show_report(out, report)


@contextmanager
def _progress(events: int, passes: int) -> Iterator[Callable[[run.Task], Callable[[int], None]]]:
    """A bar for all passes on a terminal, or a line now and then."""
    done = 0
    said = time.monotonic()
    if err.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as bar:
            shown = bar.add_task("", total=events * passes)

            def start(task: run.Task) -> Callable[[int], None]:
                bar.update(shown, description=task.title)
                return lambda count: bar.advance(shown, count)

            yield start
        return

    def begin(task: run.Task) -> Callable[[int], None]:
        nonlocal done
        done = 0

        def advance(count: int) -> None:
            nonlocal done, said
            done += count
            if time.monotonic() - said >= _PLAIN_PERIOD_S:
                said = time.monotonic()
                err.print(f"{task.title}: {done} of {events} events")

        return advance

    yield begin

"""How far a command is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ops.console import err

_PLAIN_PERIOD_S = 2.0


@contextmanager
def progress(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with how much more is done; None where the total is not known."""
    if err.is_terminal:
        count: ProgressColumn = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), count)
        with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda more: bar.advance(task, more)
        return
    done = 0
    said = time.monotonic()
    of_total = "" if total is None else f" of {total}"

    def advance(more: int) -> None:
        nonlocal done, said
        done += more
        if time.monotonic() - said >= _PLAIN_PERIOD_S:
            said = time.monotonic()
            err.print(f"{what}: {done}{of_total} {unit}")

    yield advance

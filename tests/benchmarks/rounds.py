"""Rounds in turn, and their medians side by side: what all benchmarks share."""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from rich.table import Table

from ops.console import out, print_json


class Figures(NamedTuple):
    """What one run of one contender took."""

    per_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One contender in one case: medians over the rounds."""

    case: str
    contender: str
    per_s: float
    ratio: float
    """Of the rates, to the case's first contender; the median of the rounds' own ratios."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    p50_ratio: float | None = None
    """Of the p50, likewise."""


def compare(case: str, contenders: Mapping[str, Callable[[], Figures]], rounds: int) -> list[Row]:
    """A row for each contender; the first is what the others are compared with.

    The contenders take turns, and each round begins with another one, so that a machine that is
    slow for a while is so for all of them.
    """
    figures: dict[str, list[Figures]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()  # what the one before left is not this one's to pay for
            figures[name].append(contenders[name]())
    baseline = figures[names[0]]
    return [_row(case, name, figures[name], baseline) for name in names]


def _row(case: str, contender: str, figures: Sequence[Figures], baseline: Sequence[Figures]) -> Row:
    pairs = list(zip(figures, baseline, strict=True))
    p50s = [(own.p50_ms, base.p50_ms) for own, base in pairs]
    return Row(
        case=case,
        contender=contender,
        per_s=statistics.median(own.per_s for own in figures),
        ratio=statistics.median(own.per_s / base.per_s for own, base in pairs),
        p50_ms=_median([own.p50_ms for own in figures]),
        p99_ms=_median([own.p99_ms for own in figures]),
        p50_ratio=_median([own / base if own and base else None for own, base in p50s]),
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def parser(module: str, description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    made.add_argument("--json", action="store_true", help="print the rows as one JSON list")
    made.add_argument("--rounds", type=int, default=rounds, help="rounds; default: %(default)s")
    return made


def show(rows: Sequence[Row], *, unit: str, as_json: bool) -> None:
    """Print the rows: a table for people, or one JSON list."""
    if as_json:
        print_json(rows)
        return
    timed = any(row.p50_ms is not None for row in rows)
    table = Table("case", "")
    latency = ("p50 ms", "p99 ms", "p50 ratio") if timed else ()
    for name in (f"{unit}/s", "ratio", *latency):
        table.add_column(name, justify="right")
    case = ""
    for row in rows:
        cells = [
            "" if row.case == case else row.case,
            row.contender,
            f"{row.per_s:,.0f}",
            f"{row.ratio:.2f}",
        ]
        if timed:
            cells += [_cell(value) for value in (row.p50_ms, row.p99_ms, row.p50_ratio)]
        table.add_row(*cells)
        case = row.case
    out.print(table)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

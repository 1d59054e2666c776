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
    per_cpu_s: float | None = None
    """Per second of processor time: steadier than `per_s` where a machine is busy."""
    note: str = ""
    """What was wrong with the run."""


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
    per_cpu_s: float | None = None
    note: str = ""
    """What was wrong with its runs."""


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
        ratio=statistics.median(
            own.per_s / base.per_s if base.per_s else 0.0 for own, base in pairs
        ),
        p50_ms=_median([own.p50_ms for own in figures]),
        p99_ms=_median([own.p99_ms for own in figures]),
        p50_ratio=_median([_ratio(own, base) for own, base in p50s]),
        per_cpu_s=_median([own.per_cpu_s for own in figures]),
        note="; ".join(dict.fromkeys(own.note for own in figures if own.note)),
    )


def _ratio(own: float | None, base: float | None) -> float | None:
    return own / base if own is not None and base else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def parser(name: str, description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(
        prog=f"penstock bench {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", action="store_true", help="print the rows as one JSON list")
    made.add_argument("--rounds", type=int, default=rounds, help="rounds; default: %(default)s")
    return made


def show(rows: Sequence[Row], *, unit: str, as_json: bool) -> None:
    """Print the rows: a table for people, or one JSON list with `case`, `<unit>_per_s`, ratios."""
    if as_json:
        print_json([_named(row, unit) for row in rows])
        return
    columns: dict[str, Callable[[Row], str]] = {
        f"{unit}/s": lambda row: f"{row.per_s:,.0f}",
        "ratio": lambda row: f"{row.ratio:.2f}",
        f"{unit}/cpu s": lambda row: _cell(row.per_cpu_s, ",.0f"),
        "p50 ms": lambda row: _cell(row.p50_ms, ".2f"),
        "p99 ms": lambda row: _cell(row.p99_ms, ".2f"),
        "p50 ratio": lambda row: _cell(row.p50_ratio, ".2f"),
        "note": lambda row: row.note,
    }
    columns = {name: cell for name, cell in columns.items() if any(cell(row) for row in rows)}
    table = Table("case", "")
    for name in columns:
        table.add_column(name, justify="left" if name == "note" else "right")
    case = ""
    for row in rows:
        cells = [cell(row) for cell in columns.values()]
        table.add_row("" if row.case == case else row.case, row.contender, *cells)
        case = row.case
    out.print(table)


def _named(row: Row, unit: str) -> dict[str, object]:
    """A case is what one looks a figure up by, so here it names its contender as well."""
    figures: dict[str, object] = msgspec.to_builtins(row)
    rest = {"per_s": f"{unit}_per_s", "per_cpu_s": f"{unit}_per_cpu_s"}
    named = {rest.get(name, name): value for name, value in figures.items()}
    contender = named.pop("contender")
    return {**named, "case": f"{row.case}: {contender}"}


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)

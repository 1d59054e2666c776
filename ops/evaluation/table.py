"""The outcome for people, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ops.evaluation.report import Report
from ops.evaluation.rows import CUTS, Evaluated, Row, row_of
from ops.evaluation.titles import title_of


def summary_line(result: Evaluated) -> str:
    """One result in one line."""
    row = row_of(result)
    found = ", ".join(f"recall@{k} {share(row[f'recall@{k}'])}" for k in CUTS)
    return f"{title_of(row)}: {found}, {row['seconds']:.0f} s a pass"


def show_report(console: Console, report: Report) -> None:
    """A table of all rows, and what the figures stand on."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("model", no_wrap=True)
    for k in CUTS:
        table.add_column(f"R@{k}", justify="right", no_wrap=True)
        table.add_column("±", justify="right", style="dim", no_wrap=True)
    for name in ("MRR", "coverage", "new 1h", "new 24h", "s"):
        table.add_column(name, justify="right")
    for row in report.rows:
        cells = [title_of(row)]
        for k in CUTS:
            cells += [share(row[f"recall@{k}"]), _half(row, f"recall@{k}")]
        cells += [share(row[name]) for name in ("mrr", "coverage")]
        cells += [share(row[f"new_{age}_recall@50"]) for age in ("1h", "24h")]
        table.add_row(*cells, f"{row['seconds']:.0f}")
    console.print(table)
    console.print()
    console.print(footing(report))


def footing(report: Report) -> str:
    """What the figures stand on, in some sentences."""
    stream = report.stream
    own = "less the user's own" if report.exclude_own else "the user's own too"
    told = (
        f"{report.clicks} clicks by {stream['users']} users in {report.events} events, each ranked "
        f"before it is learned among the items seen so far, {own} "
        f"(mean {stream['candidates_mean'] or 0:.0f}, {stream['items']} in all). A random list "
        f"finds {share(stream['random_expected@10'])} at 10, "
        f"{share(stream['random_expected@50'])} at 50. Clicks on items never seen before, which "
        f"no list can hold: {share(stream['unseen_share'])}; first seen within the hour before: "
        f"{share(stream['new_1h_share'])}, the day before: {share(stream['new_24h_share'])}."
    )
    if report.unknown_actions:
        told += f" {report.unknown_actions} events left out: their action is not configured."
    return told


def share(value: str | int | float | None) -> str:
    """Four digits, or a dash for none."""
    return "-" if value is None else f"{value:.4f}"


def _half(row: Row, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if not isinstance(low, float) or not isinstance(high, float):
        return "-"
    return f"{(high - low) / 2:.4f}"

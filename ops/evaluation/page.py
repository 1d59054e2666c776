"""The outcome as one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ops.evaluation.charts import Chart, tone_of
from ops.evaluation.report import Report
from ops.evaluation.rows import CUTS, Row
from ops.evaluation.svg import svg_of
from ops.evaluation.table import footing, share
from ops.evaluation.titles import title_of

_STYLE = """
:root { --surface: #fcfcfb; --ink: #1b1b1a; --muted: #63625d; --grid: #e5e4e0;
  --main: #1f66d1; --variant: #8fb4ec; --baseline: #b4b2ab; }
@media (prefers-color-scheme: dark) {
  :root { --surface: #191918; --ink: #f1f0ed; --muted: #a9a7a0; --grid: #353531;
    --main: #6aa5ff; --variant: #3d6399; --baseline: #6c6b65; } }
body { background: var(--surface); color: var(--ink); margin: 2rem auto; padding: 0 1rem;
  max-width: 860px; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { color: var(--muted); }
svg { width: 100%; height: auto; font-size: 12px; }
svg text { fill: var(--muted); }
svg .value, svg .label.main, svg .label.variant { fill: var(--ink); }
svg .label.main { font-weight: 600; }
.grid { stroke: var(--grid); } .whisker { stroke: var(--ink); stroke-width: 1.5; }
rect.main, circle.main { fill: var(--main); }
.line.main { stroke: var(--main); stroke-width: 2.5; }
rect.variant, circle.variant { fill: var(--variant); } .line.variant { stroke: var(--variant); }
rect.baseline, circle.baseline { fill: var(--baseline); }
.line.baseline { stroke: var(--baseline); }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.leader { stroke: var(--grid); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
tr.main td { font-weight: 600; }
"""


def page_of(report: Report, charts: Sequence[Chart]) -> str:
    """The page: what was measured, the charts, and every row as a table."""
    sections = "".join(f"<h2>{escape(chart.title)}</h2>{svg_of(chart)}" for chart in charts)
    title = escape(f"Recall on {report.dataset}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1><p>{escape(footing(report))}</p>"
        f"{sections}<h2>All figures</h2>{_table(report.rows)}</body></html>\n"
    )


def _table(rows: Sequence[Row]) -> str:
    names = [f"recall@{k}" for k in CUTS] + ["mrr", "coverage"]
    names += [f"new_{age}_recall@50" for age in ("1h", "24h")]
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in ["model", *names])
    body = "".join(
        f'<tr class="{tone_of(row)}"><td>{escape(title_of(row))}</td>'
        + "".join(f"<td>{_cell(row, name)}</td>" for name in names)
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _cell(row: Row, name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    interval = "" if low is None else f' title="{share(low)} to {share(high)}"'
    return f"<span{interval}>{share(row[name])}</span>"

"""What the demo shows to people: the loop as it runs, one user's lists, and the result."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.demo.figures import Quantiles, Report
from ops.demo.probes import Shown
from ops.demo.run import DemoRun
from ops.demo.world import World

_BAR = 40
_FULL_CTR = 0.25


def live_view(run: DemoRun, window_s: float = 5.0) -> RenderableType:
    """The loop at this moment, for a terminal."""
    elapsed = run.visits.elapsed_s
    rate = run.visits.click_through.rate
    bars = Table.grid(padding=(0, 2))
    for arm, colour in (("recall", "green"), ("popular", "yellow"), ("random", "bright_black")):
        now = rate(arm, max(0.0, elapsed - window_s), elapsed)  # type: ignore[arg-type]
        bar = "█" * round(_BAR * min(1.0, now / _FULL_CTR))
        bars.add_row(arm, f"{now:6.1%}", Text(bar, style=colour))
    parts: list[RenderableType] = [
        Text(f"click-through of the last {window_s:.0f} s, after {elapsed:.0f} s"),
        bars,
        Text(_counts(run)),
    ]
    if run.clicks.latest is not None:
        parts.append(before_after(run.clicks.latest, run.world))
    return Panel(Group(*parts), title="penstock demo", subtitle="Ctrl-C ends it")


def plain_line(run: DemoRun, window_s: float = 5.0) -> str:
    """The same in one line, where there is no terminal."""
    elapsed = run.visits.elapsed_s
    shares = ", ".join(
        f"{arm} {run.visits.click_through.rate(arm, max(0.0, elapsed - window_s), elapsed):.1%}"
        for arm in ("recall", "popular", "random")
    )
    return f"{elapsed:4.0f} s  click-through {shares}; {_counts(run)}"


def before_after(shown: Shown, world: World) -> RenderableType:
    """One user's list before and after a click, side by side."""
    title = f"{shown.user_id} clicks {_name(shown.clicked, world)}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    table.add_column("before")
    table.add_column(f"after, vector refreshed in {shown.click_to_user_vector_ms:.0f} ms")
    for old, new in zip(shown.before, shown.after, strict=False):
        style = "" if new in shown.before else "bold green"
        clicked = "reverse" if old == shown.clicked else ""
        table.add_row(Text(_name(old, world), style=clicked), Text(_name(new, world), style=style))
    return table


def show_report(console: Console, report: Report, shown: Shown | None, world: World) -> None:
    """The result, for people."""
    if shown is not None:
        console.print("recall, click, recall again: the clearest of the last ten probes")
        console.print(before_after(shown, world))
        console.print()
    console.print(f"click-through in the second half of {report.seconds:.0f} s")
    for arm, rate in (
        ("recall", report.ctr_recall),
        ("popular", report.ctr_popular),
        ("random", report.ctr_random),
    ):
        times = f"{rate / report.ctr_random:.1f} x random" if report.ctr_random else ""
        console.print(f"  {arm:<8} {rate:6.1%}  {times}")
    console.print(f"  recall in the first half {report.ctr_recall_first_half:.1%}")
    console.print(
        f"top 10 changed after a click in {report.changed_after_click:.0%} of "
        f"{report.click_to_user_vector_ms.n} probes ({1 - report.kept_after_click:.0%} of its items"
        f" are new; without a click {1 - report.kept_without_click:.0%})"
    )
    console.print("milliseconds                      p50     p99       n")
    for name, times_ms in (
        ("click to refreshed user vector", report.click_to_user_vector_ms),
        ("click to changed recall", report.click_to_changed_recall_ms),
        ("new item to searchable", report.event_to_searchable_ms),
        ("recall over Kafka RPC", report.recall_ms),
    ):
        console.print(f"  {name:<30} {_row(times_ms)}")
    console.print(
        f"{report.events} events, {report.clicks} clicks, {report.recalls} recalls "
        f"({report.recall_failures} failed), {report.new_items_recalled} of {report.new_items} "
        "new items recalled"
    )


def _row(times_ms: Quantiles) -> str:
    if times_ms.p50 is None or times_ms.p99 is None:
        return "      -       -       0"
    return f"{times_ms.p50:7.1f} {times_ms.p99:7.1f} {times_ms.n:7d}"


def _counts(run: DemoRun) -> str:
    report = run.report()
    vector, recall = report.click_to_user_vector_ms, report.recall_ms
    return (
        f"{report.events} events, {report.clicks} clicks, {report.recalls} recalls; "
        f"ms p50: recall {recall.p50 or 0:.1f}, click to user vector {vector.p50 or 0:.0f}; "
        f"{report.new_items_recalled} of {report.new_items} new items recalled"
    )


def _name(item_id: str, world: World) -> str:
    return f"{item_id} {world.items[item_id].features['category']}"

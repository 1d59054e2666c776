"""What the plots show, apart from how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ops.evaluation.metrics import moving_average
from ops.evaluation.models import MODELS, PENSTOCK
from ops.evaluation.rows import Evaluated, Row
from ops.evaluation.sync import LIVE
from ops.evaluation.titles import title_of

Tone = Literal["main", "variant", "baseline"]
"""How loud a mark is: Penstock as it is set, Penstock changed, anything else."""

_POINTS = 160
_WINDOW_SHARE = 20
"""The moving average looks back on the clicks over this."""


class Series(NamedTuple):
    """One line, from left to right."""

    label: str
    tone: Tone
    xs: Sequence[float]
    ys: Sequence[float]


class Tick(NamedTuple):
    """A named place on the horizontal axis."""

    x: float
    text: str


@dataclass(frozen=True)
class Lines:
    """Lines over a common axis, labelled at their right end; the vertical axis begins at 0."""

    title: str
    x_label: str
    y_label: str
    ticks: Sequence[Tick]
    series: Sequence[Series]
    dots: bool = False
    """There are few points: each is marked with its value, and the label is at the first."""


class Bar(NamedTuple):
    """A figure with its 95 % interval, if it has one."""

    label: str
    tone: Tone
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Bars:
    """Lying bars from 0, one below the other."""

    title: str
    x_label: str
    bars: Sequence[Bar]


Chart = Lines | Bars


def charts_of(results: Sequence[Evaluated], rows: Sequence[Row]) -> list[Chart]:
    """The bars of each cut; recall over the stream; what freshness is worth, if that was asked."""
    charts: list[Chart] = [_bars(rows, k) for k in (10, 50)]
    if any(len(result.judged[0].ranks) for result in results):
        charts.append(_over_time(results, rows))
    if len({row["sync_interval"] for row in rows if MODELS[str(row["model"])].synced}) > 1:
        charts.append(_freshness(rows))
    return charts


def tone_of(row: Row) -> Tone:
    """See `Tone`."""
    if not MODELS[str(row["model"])].synced:
        return "baseline"
    main = row["model"] == PENSTOCK and row["sync_interval"] == LIVE.name
    return "main" if main else "variant"


def _bars(rows: Sequence[Row], k: int) -> Bars:
    bars = [
        Bar(
            title_of(row),
            tone_of(row),
            _float(row[f"recall@{k}"]) or 0.0,
            _float(row[f"recall@{k}_low"]),
            _float(row[f"recall@{k}_high"]),
        )
        for row in rows
    ]
    ordered = sorted(bars, key=lambda bar: -bar.value)
    return Bars(f"Recall@{k}", "share of clicks found, with 95 % intervals", ordered)


def _over_time(results: Sequence[Evaluated], rows: Sequence[Row]) -> Lines:
    clicks = len(results[0].judged[0].ranks)
    window = max(1, clicks // _WINDOW_SHARE)
    series = []
    for result, row in zip(results, rows, strict=True):
        ends, means = moving_average(result.hits(50), window, _POINTS)
        series.append(Series(title_of(row), tone_of(row), ends.tolist(), means.tolist()))
    ticks = [Tick(clicks * part / 4, f"{round(clicks * part / 4):,}") for part in range(5)]
    title = f"Recall@50 over the stream, mean of the last {window:,} clicks"
    return Lines(title, "clicks so far", "recall@50", ticks, series)


def _freshness(rows: Sequence[Row]) -> Lines:
    synced = [row for row in rows if MODELS[str(row["model"])].synced]
    intervals = list(dict.fromkeys(str(row["sync_interval"]) for row in synced))
    series = []
    for name in dict.fromkeys(str(row["model"]) for row in synced):
        for k in (50, 10):
            ys = [_float(row[f"recall@{k}"]) or 0.0 for row in synced if row["model"] == name]
            tone: Tone = "main" if name == PENSTOCK else "variant"
            label = f"recall@{k}" if name == PENSTOCK else f"{name}, recall@{k}"
            series.append(Series(label, tone, list(map(float, range(len(ys)))), ys))
    return Lines(
        "What freshness is worth",
        "how often what is learned reaches serving",
        "recall",
        [Tick(float(place), name) for place, name in enumerate(intervals)],
        series,
        dots=True,
    )


def _float(value: str | int | float | None) -> float | None:
    return None if value is None else float(value)


def spread(wanted: Sequence[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Places as near to the wanted ones as keeps `gap` between neighbours, within the bounds.

    In the order given; where they can't all fit, they stand closer, evenly.
    """
    count = len(wanted)
    if count > 1:
        gap = min(gap, (highest - lowest) / (count - 1))
    order = sorted(range(count), key=lambda index: wanted[index])
    places = [0.0] * count
    least = lowest
    for rank, index in enumerate(order):
        most = highest - gap * (count - 1 - rank)
        places[index] = min(max(wanted[index], least), most)
        least = places[index] + gap
    return places

"""The charts as one PNG, by matplotlib (extra `plots`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ops.evaluation.charts import Bars, Chart, Lines, Series, Tone, spread
from schemas.errors import EnvironmentProblem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SURFACE, _INK, _MUTED, _GRID = "#fcfcfb", "#1b1b1a", "#63625d", "#e5e4e0"
_COLOURS: dict[Tone, str] = {"main": "#1f66d1", "variant": "#8fb4ec", "baseline": "#b4b2ab"}
_WIDTH_INCHES = 9.0


def png_of(charts: Sequence[Chart]) -> bytes:
    """The charts below each other. Needs matplotlib; see `check_matplotlib`."""
    from matplotlib.figure import Figure  # an extra: only who wants a picture needs it

    heights = [_height(chart) for chart in charts]
    figure = Figure((_WIDTH_INCHES, sum(heights)), facecolor=_SURFACE, layout="constrained")
    rows = figure.subplots(len(charts), height_ratios=heights, squeeze=False)
    for chart, (axes,) in zip(charts, rows, strict=True):
        _prepare(axes, chart.title)
        if isinstance(chart, Bars):
            _bars(axes, chart)
        else:
            _lines(axes, chart)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, facecolor=_SURFACE)
    return buffer.getvalue()


def check_matplotlib() -> None:
    """Raises EnvironmentProblem where it is not installed: sooner than after the evaluation."""
    if find_spec("matplotlib") is None:
        msg = "a PNG needs matplotlib; it is not installed; `pip install 'penstock[plots]'`"
        raise EnvironmentProblem(msg)


def _height(chart: Chart) -> float:
    """Inches."""
    return 0.9 + 0.27 * len(chart.bars) if isinstance(chart, Bars) else 4.0


def _prepare(axes: Axes, title: str) -> None:
    axes.set_facecolor(_SURFACE)
    axes.set_title(title, loc="left", color=_INK, fontsize=11, fontweight="bold")
    axes.tick_params(colors=_MUTED, labelsize=9, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_axisbelow(True)


def _bars(axes: Axes, chart: Bars) -> None:
    axes.grid(axis="x", color=_GRID)
    most = max([bar.high or bar.value for bar in chart.bars] + [0.01])
    for place, bar in enumerate(chart.bars):
        axes.barh(place, bar.value, height=0.66, color=_COLOURS[bar.tone])
        end = bar.value
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [place, place], color=_INK, linewidth=1.2)
            end = bar.high
        axes.text(end + most * 0.01, place, f"{bar.value:.3f}", va="center", fontsize=9, color=_INK)
    axes.set_yticks(range(len(chart.bars)), [bar.label for bar in chart.bars])
    axes.set_ylim(len(chart.bars) - 0.5, -0.5)
    axes.set_xlim(0, most * 1.1)
    axes.set_xlabel(chart.x_label, color=_MUTED, fontsize=9, loc="left")


def _lines(axes: Axes, chart: Lines) -> None:
    axes.grid(axis="y", color=_GRID)
    most = max([y for series in chart.series for y in series.ys] + [0.01]) * 1.05
    last = max([tick.x for tick in chart.ticks] + [1e-9])
    for series in chart.series:
        loud = series.tone == "main"
        axes.plot(
            series.xs,
            series.ys,
            color=_COLOURS[series.tone],
            linewidth=2.2 if loud else 1.4,
            marker="o" if chart.dots else None,
            markersize=5,
            zorder=3 if loud else 2,
        )
        if chart.dots:
            for x, y in zip(series.xs, series.ys, strict=True):
                axes.text(x + last * 0.015, y + most * 0.02, f"{y:.3f}", color=_INK, fontsize=9)
            below = series.ys[0] - most * 0.06
            axes.text(last * 0.015, below, series.label, **_label_style(series))
    if not chart.dots:
        _end_labels(axes, chart.series, last, most)
    axes.set_xticks([tick.x for tick in chart.ticks], [tick.text for tick in chart.ticks])
    axes.set_xlim(-last * 0.02, last * 1.02)
    axes.set_ylim(0, most)
    axes.set_xlabel(chart.x_label, color=_MUTED, fontsize=9, loc="left")
    axes.set_ylabel(chart.y_label, color=_MUTED, fontsize=9)


def _end_labels(axes: Axes, lines: Sequence[Series], last: float, most: float) -> None:
    places = spread([series.ys[-1] for series in lines], most * 0.05, 0, most)
    for series, place in zip(lines, places, strict=True):
        axes.annotate(
            series.label,
            (series.xs[-1], series.ys[-1]),
            (last * 1.04, place),
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": _GRID, "relpos": (0, 0.5)},
            **_label_style(series),
        )


def _label_style(series: Series) -> dict[str, Any]:
    loud = series.tone == "main"
    return {
        "color": _MUTED if series.tone == "baseline" else _INK,
        "fontsize": 9,
        "fontweight": "bold" if loud else "normal",
    }

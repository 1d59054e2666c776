"""Charts as SVG whose colours come from the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ops.evaluation.charts import Bars, Chart, Lines, Series, spread

Point = tuple[float, float]

_WIDTH = 760
_BAR_HEIGHT = 24
_LINES_HEIGHT = 360
_LABEL_GAP = 15


def svg_of(chart: Chart) -> str:
    """One `svg` element; classes `main`, `variant` and `baseline` colour its marks."""
    return _bars(chart) if isinstance(chart, Bars) else _lines(chart)


def _bars(chart: Bars) -> str:
    left, right, top = 190, 70, 8
    height = top + _BAR_HEIGHT * len(chart.bars) + 40
    most = max([bar.high or bar.value for bar in chart.bars] + [0.01])
    step = _step(most)
    scale = (_WIDTH - left - right) / (most * 1.02)
    base = height - 40
    parts = []
    for number in range(int(most / step) + 1):
        x = left + number * step * scale
        parts.append(_line(x, top, x, base, "grid"))
        parts.append(_text(x, base + 16, f"{number * step:.2g}", "tick", "middle"))
    for number, bar in enumerate(chart.bars):
        y = top + number * _BAR_HEIGHT + 4
        middle = y + (_BAR_HEIGHT - 8) / 2
        wide = bar.value * scale
        told = f"{bar.label}: {bar.value:.4f}"
        end = wide
        if bar.low is not None and bar.high is not None:
            told += f" ({bar.low:.4f} to {bar.high:.4f})"
            end = bar.high * scale
        parts.append(_text(left - 8, middle + 4, bar.label, f"label {bar.tone}", "end"))
        parts.append(
            f'<rect class="mark {bar.tone}" x="{left}" y="{y}" width="{wide:.1f}" '
            f'height="{_BAR_HEIGHT - 8}" rx="2"><title>{escape(told)}</title></rect>'
        )
        if bar.low is not None and end > wide:
            parts.append(_line(left + bar.low * scale, middle, left + end, middle, "whisker"))
        parts.append(_text(left + end + 6, middle + 4, f"{bar.value:.3f}", "value"))
    parts.append(_text(left, height - 6, chart.x_label, "axis"))
    return _svg(chart.title, height, parts)


def _lines(chart: Lines) -> str:
    left, right, top, bottom = 46, 190, 14, 46
    wide, high = _WIDTH - left - right, _LINES_HEIGHT - top - bottom
    most = max([y for series in chart.series for y in series.ys] + [0.01]) * 1.05
    last = max([tick.x for tick in chart.ticks] + [1e-9])
    step = _step(most)

    def at(x: float, y: float) -> Point:
        return left + x / last * wide, top + (1 - y / most) * high

    parts = []
    for number in range(int(most / step) + 1):
        y = at(0, number * step)[1]
        parts.append(_line(left, y, left + wide, y, "grid"))
        parts.append(_text(left - 6, y + 4, f"{number * step:.2g}", "tick", "end"))
    for tick in chart.ticks:
        parts.append(_text(at(tick.x, 0)[0], top + high + 17, tick.text, "tick", "middle"))
    # The loud ones are drawn last, so that they lie on top.
    for series in sorted(chart.series, key=lambda series: series.tone == "main"):
        points = [at(x, y) for x, y in zip(series.xs, series.ys, strict=True)]
        parts.append(_polyline(series, points))
        if chart.dots:
            parts += _dots(series, points)
    if not chart.dots:
        parts += _end_labels(
            chart.series, [at(one.xs[-1], one.ys[-1]) for one in chart.series], high + top
        )
    parts.append(_text(left, _LINES_HEIGHT - 6, chart.x_label, "axis"))
    return _svg(chart.title, _LINES_HEIGHT, parts)


def _polyline(series: Series, points: list[Point]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    told = escape(series.label)
    return f'<polyline class="line {series.tone}" points="{path}"><title>{told}</title></polyline>'


def _dots(series: Series, points: list[Point]) -> list[str]:
    parts = [_text(points[0][0] + 8, points[0][1] + 20, series.label, f"label {series.tone}")]
    for value, (x, y) in zip(series.ys, points, strict=True):
        parts.append(f'<circle class="mark {series.tone}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        parts.append(_text(x + 8, y - 6, f"{value:.3f}", "value"))
    return parts


def _end_labels(series: Sequence[Series], ends: list[Point], lowest: float) -> list[str]:
    """Labels right of the lines' ends, apart from each other, each with a thin line to its end."""
    parts = []
    places = spread([y for _, y in ends], _LABEL_GAP, _LABEL_GAP, lowest)
    for one, (x, y), place in zip(series, ends, places, strict=True):
        parts.append(_line(x + 3, y, x + 18, place, "leader"))
        parts.append(_text(x + 22, place + 4, one.label, f"label {one.tone}"))
    return parts


def _step(most: float) -> float:
    """Between grid lines: the smallest round number that makes at most six of them."""
    steps = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    return next((step for step in steps if most / step <= 6), 0.25)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(text)}</text>'


def _svg(title: str, height: float, parts: list[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH} {height:.0f}"'
    return f'<svg role="img" aria-label="{escape(title)}" {size}>{"".join(parts)}</svg>'

"""A span of time in few characters."""

from __future__ import annotations


def span(value_s: float | None) -> str:
    """`0 s`, `1.4 s`, `40 s`, `3 min`, `2 h`, `4 d`; `-` for none."""
    if value_s is None:
        return "-"
    if value_s == 0:
        return "0 s"
    if value_s < 9.95:
        return f"{value_s:.1f} s"
    if value_s < 99.5:
        return f"{value_s:.0f} s"
    for unit, size_s in (("min", 60), ("h", 3_600)):
        if value_s < 99 * size_s:
            return f"{value_s / size_s:.0f} {unit}"
    return f"{value_s / 86_400:.0f} d"

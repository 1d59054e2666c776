"""Percentiles over the newest measurements."""

from __future__ import annotations

from collections import deque

import numpy as np

_WINDOW = 1_000


class LatencyWindow:
    """The newest 1,000 measurements, in milliseconds."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=_WINDOW)

    def add(self, value_ms: float) -> None:
        """Add one; the oldest leaves."""
        self._values.append(value_ms)

    def percentile(self, percent: float) -> float:
        """That percentile by linear interpolation; 0 while there is nothing."""
        values = list(self._values)  # one step, while another thread adds
        return float(np.percentile(values, percent)) if values else 0.0

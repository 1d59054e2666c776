from __future__ import annotations

import pytest

from towers.latency import LatencyWindow


def test_percentiles_of_the_newest() -> None:
    window = LatencyWindow()
    assert window.percentile(50) == 0.0
    for value in range(1_500):
        window.add(float(value))
    assert window.percentile(50) == pytest.approx(999.5)
    assert window.percentile(99) == pytest.approx(1489.01)

"""The demo's figures by hand."""

from __future__ import annotations

import math

from ops.demo.figures import ClickThrough, Probes, quantiles


def test_quantiles_of_known_times() -> None:
    found = quantiles([float(n) for n in range(1, 102)])
    assert (found.p50, found.p99, found.n) == (51.0, 100.0, 101)
    assert quantiles([]).p50 is None


def test_click_through_of_a_span_of_seconds() -> None:
    counted = ClickThrough()
    counted.add("recall", 0.5, 10, 1)
    counted.add("recall", 1.5, 10, 3)
    counted.add("recall", 2.0, 10, 5)
    counted.add("popular", 1.5, 10, 10)
    assert counted.rate("recall", 0, 2) == 4 / 20
    assert counted.rate("recall", 1, 3) == 8 / 20
    assert counted.rate("random", 0, 3) == 0.0


def test_a_probe_sees_items_and_their_order() -> None:
    probes = Probes()
    assert not probes.add(["a", "b", "c", "d"], ["a", "b", "c", "d"])
    assert probes.add(["a", "b", "c", "d"], ["b", "a", "c", "d"])
    assert probes.add(["a", "b", "c", "d"], ["a", "b", "c", "x"])
    assert math.isclose(probes.changed, 2 / 3)
    assert math.isclose(probes.kept, (1 + 1 + 3 / 4) / 3)

"""What a metric is called and means, for the code that measures and for the documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from prometheus_client import Histogram, Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

LATENCY_BUCKETS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds, for what should take milliseconds and may take a minute when it goes wrong."""


class MetricSpec(NamedTuple):
    """One metric; its base unit ends its name, as Prometheus wants it."""

    name: str
    """As it is queried: a counter's ends with `_total`."""
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    """Each takes few values, all known beforehand: no ids."""

    def family(self, values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
        """The metric with these label values and numbers; not of a histogram."""
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = kind(self.name, self.meaning, labels=self.labels)
        for labels, value in values:
            family.add_metric(labels, value)
        return family

    def histogram(self, buckets: tuple[float, ...] = LATENCY_BUCKETS_S) -> Histogram:
        """A histogram to observe seconds with, in no registry."""
        return Histogram(self.name, self.meaning, self.labels, buckets=buckets, registry=None)


class FromFigures(NamedTuple):
    """A metric that says what some of a role's figures say, so that they can't differ."""

    spec: MetricSpec
    figures: Mapping[str, tuple[str, ...]]
    """Label values by the name of the figure."""
    scale: float = 1.0
    """The metric's unit in the figure's."""


def families(
    rows: Iterable[FromFigures],
    figures: Mapping[str, float],
    restored: Mapping[str, float] | None = None,
) -> Iterator[Metric]:
    """A metric for each row. A figure that is not there gives no gauge, and a counter of 0: one
    that came into being at 1 would show no increase.

    What a counter had counted before this process (`restored`) is left out: a counter that goes
    back by a little, as after a restart from a checkpoint, would be taken to have begun anew.
    """
    before = restored or {}
    for spec, names, scale in rows:
        counts = spec.kind == "counter"
        since = before if counts else {}
        yield spec.family(
            (labels, scale * (figures.get(name, 0.0) - since.get(name, 0.0)))
            for name, labels in names.items()
            if counts or name in figures
        )


def families_by(
    rows: Iterable[FromFigures], figures: Mapping[int, Mapping[str, float]]
) -> Iterator[Metric]:
    """As `families`, of several parts of a role: the number of a part is the first label."""
    for spec, names, scale in rows:
        yield spec.family(
            ((str(part), *labels), scale * known[name])
            for part, known in sorted(figures.items())
            for name, labels in names.items()
            if name in known
        )

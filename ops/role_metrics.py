"""What every role tells of itself, whatever it does."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Metric, ProcessCollector

from schemas.metrics import MetricSpec
from schemas.status import Role, RoleReport

READY = MetricSpec(
    "penstock_role_ready", "gauge", "1 when the role does its work, as /readyz says.", ("role",)
)
IDLE = MetricSpec(
    "penstock_role_idle_seconds",
    "gauge",
    "Since the role's loop last turned, as /healthz looks at.",
    ("role",),
)
BUILD = MetricSpec(
    "penstock_build_info", "gauge", "Always 1; the versions.", ("role", "version", "python")
)
ROLE_METRICS = (READY, IDLE, BUILD)
"""Of every role."""


def role_registry(role: Role, report: Callable[[], RoleReport]) -> CollectorRegistry:
    """With what every role tells, and `process_...` (memory, CPU, open files) of its process."""
    registry = CollectorRegistry()
    registry.register(_RoleCollector(role, report))
    ProcessCollector(registry=registry)
    return registry


class _RoleCollector:
    def __init__(self, role: Role, report: Callable[[], RoleReport]) -> None:
        self._role = role
        self._report = report
        self._versions = (version("penstock"), platform.python_version())

    def collect(self) -> Iterator[Metric]:
        report = self._report()
        yield READY.family([((self._role,), float(report.ready))])
        yield IDLE.family([((self._role,), report.idle_s)])
        yield BUILD.family([((self._role, *self._versions), 1.0)])

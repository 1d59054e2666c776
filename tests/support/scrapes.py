"""A role's pages as a program that watches it reads them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

from prometheus_client import Metric
from prometheus_client.openmetrics import parser

from ops.role_status import read_statuses
from ops.stack import Stack
from schemas.status import Role
from tests.support.polling import eventually


def parse_openmetrics(text: str) -> Iterable[Metric]:
    """The families of an exposition. Raises ValueError where it breaks the format."""
    parse: Any = parser.text_string_to_metric_families  # has no types
    families: Iterable[Metric] = parse(text)
    return families


class Scrapes:
    """The pages of a stack's roles."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def address(self, role: Role) -> str:
        """host:port of the process that runs the role now."""
        pid = self._stack.role(role).pid

        def found() -> list[str]:
            statuses = read_statuses(self._stack.settings)
            return [one.http for one in statuses if one.instance.endswith(f":{pid}")]

        return eventually(found, bool, f"{role} says where its HTTP is")[0]

    def page(self, role: Role, path: str) -> tuple[int, Any]:
        """Status and JSON of `/healthz` or `/readyz`."""
        try:
            with urllib.request.urlopen(f"http://{self.address(role)}{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def metrics(self, role: Role) -> dict[str, dict[tuple[str, ...], float]]:
        """Number by sample's name and label values, these in the order of their labels' names."""
        request = urllib.request.Request(
            f"http://{self.address(role)}/metrics",
            headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in parse_openmetrics(text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found

    def number(self, role: Role, name: str, *labels: str) -> float:
        """One sample; 0 while it is not there."""
        return self.metrics(role).get(name, {}).get(labels, 0.0)

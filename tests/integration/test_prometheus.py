"""A real Prometheus scrapes a running stack, and finds what the rules and the dashboard name."""

from __future__ import annotations

import json
import re
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.children import Child, stop_children
from schemas.errors import RecallRefused
from schemas.events import Item
from schemas.status import ROLES
from tests.support.live import Live, now_ms
from tests.support.polling import eventually
from tests.support.scrapes import Scrapes
from tests.support.servers import free_port, listens

OBSERVABILITY = Path(__file__).parents[2] / "ops" / "observability"
CONFIG = OBSERVABILITY / "prometheus" / "prometheus.yml"
RULES = OBSERVABILITY / "prometheus" / "rules.yml"
DASHBOARD = OBSERVABILITY / "grafana" / "dashboards" / "penstock.json"


class Prometheus:
    """A running server, asked by its HTTP API."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path: str, **query: str) -> Any:
        url = f"{self._url}/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def prometheus(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """With the configuration of the compose file, but for the targets and how often."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("needs prometheus on PATH (Debian's package of that name)")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "1s"}
    config["rule_files"] = [str(CONFIG.parent / name) for name in config["rule_files"]]
    (job,) = config["scrape_configs"]
    (discovery,) = job.pop("dns_sd_configs")
    assert set(discovery["names"]) == set(ROLES)
    scrapes = Scrapes(live.stack)
    job["static_configs"] = [{"targets": [scrapes.address(role) for role in ROLES]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [
        program,
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    child = Child("prometheus", command, folder / "prometheus.log")
    try:
        eventually(lambda: listens(port), bool, "Prometheus listens")
        yield Prometheus(port)
    finally:
        stop_children([child], grace_s=5)


@pytest.fixture(scope="module")
def busy(live: Live) -> None:
    """Something of everything has happened."""
    shown = live.put_items([Item(f"scraped-{n}", now_ms()) for n in range(5)])
    last = live.visit("scraped", shown, shown[:1])[-1]
    live.await_refreshed("scraped", last.ts_ms)
    live.send_raw(b"\xc1")
    live.recalled("scraped")
    with pytest.raises(RecallRefused):
        live.recalled("scraped", k=0)


def named(expressions: list[str]) -> set[str]:
    return set(re.findall(r"\b(?:penstock|process)_[a-z_]+", " ".join(expressions)))


def test_every_role_is_scraped(prometheus: Prometheus, busy: None) -> None:
    up = eventually(
        lambda: prometheus.query('up{job="penstock"}'),
        lambda found: len(found) == len(ROLES) and all(s["value"][1] == "1" for s in found),
        "every role is up",
    )
    assert len({sample["metric"]["instance"] for sample in up}) == len(ROLES)
    ready = prometheus.query("penstock_role_ready")
    assert {sample["metric"]["role"]: sample["value"][1] for sample in ready} == dict.fromkeys(
        ROLES, "1"
    )


def test_every_rule_is_evaluated_on_metrics_that_there_are(
    prometheus: Prometheus, busy: None
) -> None:
    rules = [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]
    wanted = {"up"} | named([rule["expr"] for rule in rules])
    eventually(
        lambda: {name for name in wanted if not prometheus.query(name)},
        lambda missing: not missing,
        "every metric of the rules",
    )
    evaluated = eventually(
        prometheus.rules,
        lambda found: all(rule["health"] != "unknown" for rule in found),
        "every rule was evaluated",
    )
    assert {rule["name"]: rule.get("lastError", "") for rule in evaluated} == {
        rule["alert"]: "" for rule in rules
    }


def test_every_panel_of_the_dashboard_shows_something(prometheus: Prometheus, busy: None) -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    expressions = [
        target["expr"].replace("$__rate_interval", "1m")
        for panel in panels
        for target in panel.get("targets", ())
        if not target["expr"].endswith("> 0")  # shown only when there is trouble
    ]
    assert len(expressions) > 40
    eventually(
        lambda: [one for one in expressions if not prometheus.query(one)],
        lambda empty: not empty,
        "a number for every line of the dashboard",
    )

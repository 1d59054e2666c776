"""The metrics' names, and the pages, rules and dashboards that name them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.metrics_reference import SPECS_BY_ROLE, SPECS_OF_ALL, metrics_page
from ops.roles import build_role
from schemas.metrics import MetricSpec
from schemas.settings import Settings
from schemas.status import ROLES, Role

ROOT = Path(__file__).parents[3]
OBSERVABILITY = ROOT / "ops" / "observability"
RULES = yaml.safe_load((OBSERVABILITY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads(
    (OBSERVABILITY / "grafana" / "dashboards" / "penstock.json").read_text(encoding="utf-8")
)
ALL = [*SPECS_OF_ALL, *(spec for specs in SPECS_BY_ROLE.values() for spec in specs)]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def dashboard_expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def test_the_page_is_current() -> None:
    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert written == metrics_page(), "run `python -m ops.metrics_reference > docs/metrics.md`"


def test_names_say_what_is_measured_in_base_units() -> None:
    for spec in ALL:
        assert re.fullmatch(r"penstock(_[a-z]+)+", spec.name), spec.name
        assert spec.name.endswith("_total") == (spec.kind == "counter"), spec.name
        if spec.kind == "histogram":
            assert spec.name.endswith("_seconds")
        assert not re.search(r"_(ms|milliseconds|minutes|percent|kb|mb)(_|$)", spec.name), spec.name
        assert spec.meaning.endswith("."), spec.name


def test_a_name_that_two_roles_share_is_the_same_kind_with_the_same_labels() -> None:
    by_name: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    for spec in ALL:
        by_name.setdefault(spec.name, set()).add((spec.kind, spec.labels))
    assert {name for name, forms in by_name.items() if len(forms) > 1} == set()


def test_no_label_can_take_an_id() -> None:
    closed = {"kind", "reason", "outcome", "k", "role", "version", "python"}
    counted = {"topic", "partition", "shard"}  # as many as the settings say
    assert {label for spec in ALL for label in spec.labels} <= closed | counted


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gives_exactly_the_metrics_of_the_page(role: Role, tmp_path: Path) -> None:
    settings = Settings()
    trainer = settings.trainer.model_copy(update={"checkpoint_dir": tmp_path})
    process = build_role(settings.model_copy(update={"trainer": trainer}), role)
    kinds = {metric.name: metric.type for metric in process.collect()}
    wanted = {spec.name.removesuffix("_total"): spec.kind for spec in SPECS_BY_ROLE[role]}
    assert kinds == wanted


def _series(spec: MetricSpec) -> set[str]:
    if spec.kind == "histogram":
        return {f"{spec.name}_{part}" for part in ("bucket", "count", "sum")}
    return {spec.name}


def test_rules_and_dashboard_name_metrics_that_there_are() -> None:
    known = set[str]().union(*map(_series, ALL))
    expressions = [*dashboard_expressions(), *(rule["expr"] for rule in alerts())]
    assert len(expressions) > 60
    for expression in expressions:
        named = set(re.findall(r"\bpenstock_[a-z_]+", expression))
        assert named or "process_" in expression or "up{" in expression
        assert named <= known, expression


def test_the_dashboard_shows_every_metric_that_an_alert_is_about() -> None:
    alarmed = set(re.findall(r"\bpenstock_[a-z_]+", " ".join(rule["expr"] for rule in alerts())))
    shown = set(re.findall(r"\bpenstock_[a-z_]+", " ".join(dashboard_expressions())))
    unshown = {
        name for name in alarmed - shown if f"{name.removesuffix('_count')}_bucket" not in shown
    }
    # Of these the alert says all there is to say.
    assert unshown == {
        "penstock_role_idle_seconds",
        "penstock_consumer_lag_age_seconds",
        "penstock_dead_letters_lost_total",
        "penstock_trainer_ranked_positives_total",
    }


def test_the_dashboard_s_panels_have_a_place_and_the_provisioned_source() -> None:
    source = yaml.safe_load(
        (OBSERVABILITY / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )["datasources"][0]
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == source["uid"]
            assert panel["description"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alert_has_a_severity_a_summary_a_test_and_a_page_of_what_to_do() -> None:
    tests = (OBSERVABILITY / "prometheus" / "rules_test.yml").read_text(encoding="utf-8")
    manual = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert re.search(rf"alertname: {rule['alert']}\n +exp_alerts:\n", tests), rule["alert"]
        assert f"\n### {rule['alert']}\n" in manual, rule["alert"]

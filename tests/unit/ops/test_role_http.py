"""A role's three pages over real HTTP."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry

from ops.role_http import RoleHttp
from ops.role_metrics import role_registry
from schemas.errors import EnvironmentProblem
from schemas.settings import HttpSettings
from schemas.status import RoleReport
from tests.support.scrapes import parse_openmetrics

READY = RoleReport(True, "", {}, idle_s=0.2)


@contextmanager
def served(report: RoleReport, registry: CollectorRegistry | None = None) -> Iterator[RoleHttp]:
    http = RoleHttp(HttpSettings(alive_within_s=5), registry or CollectorRegistry(), lambda: report)
    try:
        yield http
    finally:
        http.close()


def ask(
    http: RoleHttp, path: str, method: str = "GET", accept: str = "*/*"
) -> tuple[int, str, bytes]:
    request = urllib.request.Request(
        f"http://{http.address}{path}", method=method, headers={"Accept": accept}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


@pytest.mark.parametrize(("idle_s", "status"), [(0.0, 200), (5.0, 200), (5.1, 503)])
def test_a_role_is_alive_while_its_loop_turns(idle_s: float, status: int) -> None:
    with served(RoleReport(False, "starting", {}, idle_s)) as http:
        code, kind, body = ask(http, "/healthz")
    assert (code, kind) == (status, "application/json")
    said = {"alive": status == 200, "idle_s": idle_s, "alive_within_s": 5}
    assert json.loads(body) == said


def test_a_role_that_is_not_ready_says_why() -> None:
    with served(RoleReport(False, "catching up: 7 records to go", {})) as http:
        code, _, body = ask(http, "/readyz")
    assert code == 503
    assert json.loads(body) == {"ready": False, "reason": "catching up: 7 records to go"}
    with served(READY) as http:
        code, _, body = ask(http, "/readyz")
    assert (code, json.loads(body)) == (200, {"ready": True, "reason": ""})


def test_metrics_are_openmetrics_where_asked_for() -> None:
    report = RoleReport(False, "starting", {}, idle_s=0.5)
    registry = role_registry("trainer", lambda: report)
    with served(report, registry) as http:
        openmetrics = ask(http, "/metrics", accept="application/openmetrics-text; version=1.0.0")
        plain = ask(http, "/metrics")
    assert openmetrics[1].startswith("application/openmetrics-text; version=1.0.0")
    assert plain[1].startswith("text/plain")
    found = {family.name: family for family in parse_openmetrics(openmetrics[2].decode())}
    (ready,) = found["penstock_role_ready"].samples
    assert (ready.labels, ready.value) == ({"role": "trainer"}, 0.0)
    (idle,) = found["penstock_role_idle_seconds"].samples
    assert idle.value == 0.5
    assert found["process_resident_memory_bytes"].samples[0].value > 1e6


def test_other_pages_and_methods_are_refused() -> None:
    with served(READY) as http:
        code, _, body = ask(http, "/metricz")
        assert (code, json.loads(body)["pages"]) == (404, ["/metrics", "/healthz", "/readyz"])
        assert ask(http, "/readyz", method="DELETE")[0] == 405
        assert ask(http, "/healthz", method="HEAD") == (200, "application/json", b"")


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=rf"127.0.0.1:{port}.*set http.port"):
            RoleHttp(HttpSettings(port=port), CollectorRegistry(), lambda: READY)


def test_it_listens_on_loopback_alone_by_default() -> None:
    assert HttpSettings().host == "127.0.0.1"
    with served(READY) as http:
        assert http.address.startswith("127.0.0.1:")

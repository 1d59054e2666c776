"""The page in a real browser, in front of a real stack."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from ops.children import Child, stop_children
from ops.stack import environment
from schemas.codec import encode
from schemas.status import ROLES
from tests.support.browser import CHROMIUM, Browser
from tests.support.command import COMMAND, penstock
from tests.support.live import Live
from tests.support.polling import eventually
from tests.support.scenarios import catalogue
from tests.support.servers import free_port

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed; `apt-get install chromium` runs this"
)


@pytest.fixture(scope="module")
def url(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("dashboard") / "dashboard.log"
    command = [*COMMAND, "dashboard", "--port", str(free_port())]
    child = Child("dashboard", command, log, environment(live.settings))

    def address() -> str:
        child.check()
        return next((line.split()[-1] for line in child.last_lines() if "http://" in line), "")

    try:
        yield eventually(address, bool, "the dashboard says where it is")
    finally:
        stop_children([child], grace_s=5)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def ask(url: str, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def stage(name: str, part: str) -> str:
    return f"document.querySelector('[data-stage=\"{name}\"] {part}').innerText"


def health(name: str) -> str:
    return f"document.querySelector('[data-stage=\"{name}\"]').dataset.health"


def test_what_is_served_and_to_whom(url: str) -> None:
    status, headers, body = ask(url)
    assert (status, b"<title>Penstock</title>" in body) == (200, True)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"style=" not in body
    assert ask(url, host="rebound.example")[0] == 403
    assert ask(f"{url}static/../server.py")[0] == 404
    assert ask(f"{url}static/vendor/uplot-license.txt")[2].startswith(b"The MIT License")


def test_the_snapshot_is_what_the_stack_is(url: str, live: Live) -> None:
    def snapshot() -> dict[str, dict[str, Any]]:
        status, _, body = ask(f"{url}api/snapshot")
        stages: dict[str, dict[str, Any]] = json.loads(body)["stages"] if status == 200 else {}
        return stages

    eventually(
        snapshot,
        lambda stages: {stages[role]["health"] for role in ROLES if role in stages} == {"ok"},
        "every role is well",
    )


@needs_chromium
def test_values_change_when_events_flow(url: str, live: Live, browser: Browser) -> None:
    items = live.put_items(catalogue("dash", ("x", "y"), 6))
    browser.size(1440, 900)
    browser.open(url)
    browser.until("document.querySelectorAll('#roles tr').length >= 4", "the roles")
    browser.until(f"{health('label-positives')} === 'ok'", "a role that is well")
    browser.until(
        f"{stage('label-positives', '.rate')}.startsWith('0')", "no positives a second", 90
    )
    browser.value(
        "globalThis.rates = new Set(), setInterval(() =>"
        f" rates.add({stage('label-positives', '.rate')}), 200)"
    )
    for _ in range(400):
        live.visit("dash-u", items, items[:3])
        live.recalled("dash-u")
        if browser.value("rates.size > 2"):
            break
    assert browser.value("rates.size") > 2
    browser.until("document.querySelectorAll('.plot canvas').length === 6", "six charts")
    browser.until(
        "[...document.querySelectorAll('.chart')].some(one =>"
        " one.textContent.includes('Recall latency') && / ms/.test(one.textContent))",
        "recall latency",
    )


@needs_chromium
def test_dead_letters_are_shown_as_text_and_without_secrets(
    url: str, live: Live, browser: Browser
) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    event = {"action": hostile, "user_id": "u", "item_id": "i", "request_id": "r", "ts_ms": 1}
    live.send_raw(encode(event | {"context": {"password": "hunter2", "city": "Oslo"}}))
    browser.open(url)
    shown = browser.until(
        "[...document.querySelectorAll('.letter pre')].map(one => one.textContent)"
        ".find(text => text.includes('onerror'))",
        "the letter",
    )
    assert hostile in shown
    assert "Oslo" in shown
    assert "hunter2" not in browser.value("document.documentElement.outerHTML")
    assert browser.value("document.querySelectorAll('main img').length") == 0


@needs_chromium
@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_no_width_scrolls_sideways(url: str, browser: Browser, width: int, dark: bool) -> None:
    browser.size(width, 800, dark=dark)
    browser.open(url)
    browser.until("document.querySelectorAll('#roles tr').length >= 4", "the roles")
    browser.until("document.querySelectorAll('.plot canvas').length === 6", "six charts")
    assert browser.value("document.documentElement.scrollWidth") == width
    surface = browser.value("getComputedStyle(document.body).backgroundColor")
    assert surface == ("rgb(15, 19, 18)" if dark else "rgb(243, 241, 234)")


@needs_chromium
def test_by_keyboard_and_by_name(url: str, browser: Browser) -> None:
    browser.size(1440, 900)
    browser.open(url)
    browser.press("Tab")
    assert browser.value("document.activeElement.textContent") == "Skip to the chain"
    browser.press("Tab")
    browser.press("ArrowRight")
    assert browser.value("document.documentElement.dataset.theme") == "light"
    outline = "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert browser.value(outline) == "solid"
    # Whatever can be reached has a name, and whatever is red has a word and a shape for it too.
    assert browser.value(
        "[...document.querySelectorAll('[tabindex=\"0\"]')].every(one => one.tagName === 'PRE' ||"
        " one.getAttribute('aria-label') || one.getAttribute('aria-labelledby'))"
    )
    assert browser.value("document.querySelectorAll('main, header, footer').length") == 3
    assert browser.value(
        "[...document.querySelectorAll('.box')].every(one =>"
        " one.querySelector('.says span').textContent && one.querySelector('.says use'))"
    )


@needs_chromium
def test_thousands_of_points_without_stutter(url: str, browser: Browser) -> None:
    """The page's own charts with an hour of points: a point more costs less than a frame or two."""
    browser.size(1440, 900)
    browser.open(url)
    browser.until("document.querySelectorAll('.plot canvas').length === 6", "six charts")
    # Again if the page has just loaded its own past in between.
    browser.until(
        """(async () => {
          const charts = await import("/static/charts.js");
          const { series } = await (await fetch("/api/history")).json();
          const at_ms = Array.from({ length: 3600 }, (_, index) => 1e12 + index * 1e3);
          const wave = at_ms.map((_, index) => (index % 2 ? 0.1 : 540_000));
          charts.setSpan(3600);
          charts.loadHistory({
            at_ms, series: Object.fromEntries(Object.keys(series).map((name) => [name, wave])),
          });
          const frame = () => new Promise((done) => requestAnimationFrame(done));
          await frame(); await frame();
          const label = document.querySelector(".plot").getAttribute("aria-label");
          return label.includes("from 0.1 ms to 9.0 min");
        })()""",
        "an hour of points is drawn",
    )


@needs_chromium
def test_a_killed_role_turns_red_and_comes_back(url: str, live: Live, browser: Browser) -> None:
    browser.size(1440, 900)
    browser.open(url)
    browser.until(f"{health('label-positives')} === 'ok'", "all is well")
    browser.value(
        "globalThis.said = [], new MutationObserver(() =>"
        " said.push(document.getElementById('announce').textContent)).observe("
        "document.getElementById('announce'), { childList: true, characterData: true })"
    )
    live.stack.role("label-positives").kill()
    try:
        browser.until(f"{health('label-positives')} === 'bad'", "the killed role is red")
        assert "gone" in browser.text('[data-stage="label-positives"] .says')
        assert browser.value("document.getElementById('headline').dataset.health") == "bad"
        browser.until("said.some(text => text.includes('label-positives'))", "it is announced")
    finally:
        live.stack.start_role("label-positives")
        live.stack.wait_ready()
    browser.until(f"{health('label-positives')} !== 'bad'", "its successor is well")
    browser.until(
        "[...document.querySelectorAll('#roles tr')].some(row => /replaced/.test(row.textContent))",
        "the dead one is told as replaced",
    )


@needs_chromium
def test_nothing_was_complained_of_and_nothing_else_was_asked(url: str, browser: Browser) -> None:
    """Last: of all the tests above."""
    assert browser.complaints == []
    assert [one for one in browser.requests if not one.startswith((url, "about:"))] == []


def test_a_taken_port_is_named(url: str, live: Live) -> None:
    port = url.rstrip("/").rpartition(":")[2]
    done = penstock("dashboard", "--port", port, settings=live.settings)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the dashboard needs a free port; 127.0.0.1:")
    assert "--port" in done.stderr

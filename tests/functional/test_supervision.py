"""`up` and `demo` end every child, and say in one line what stops them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.support.command import alive, children_of, penstock, start_penstock
from tests.support.polling import eventually
from tests.support.servers import free_port

PORTS = ("--kafka-port", "0", "--redis-port", "0")
BARE = (*PORTS, "--no-dashboard")


def started_up(tmp_path: Path) -> tuple[subprocess.Popen[str], set[int]]:
    """A stack of its own, with all five children alive."""
    process = start_penstock("up", *BARE, cwd=tmp_path)
    children = eventually(
        lambda: children_of(process.pid), lambda pids: len(pids) == 5, "five children"
    )
    return process, children


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_child(tmp_path: Path, how: signal.Signals) -> None:
    process, children = started_up(tmp_path)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.rstrip().endswith("stopped")
    assert not [pid for pid in children if alive(pid)]


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    process, children = started_up(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: [pid for pid in children if alive(pid)], lambda left: not left, "no child")


def test_a_dead_child_ends_the_rest(tmp_path: Path) -> None:
    process, children = started_up(tmp_path)
    victim = max(children)
    os.kill(victim, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "ended by itself with signal SIGKILL" in errors[0]
    assert not [pid for pid in children if alive(pid)]


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for command in ("up", "demo"):
            done = penstock(command, "--kafka-port", port, "--redis-port", "0", cwd=tmp_path)
            assert done.returncode == 1
            assert done.stderr.startswith(
                f"error: Kafka needs a free port; 127.0.0.1:{port} is taken"
            )
            assert len(done.stderr.splitlines()) == 1


def test_an_address_elsewhere_is_not_taken_for_the_embedded_stack(tmp_path: Path) -> None:
    config = tmp_path / "penstock.toml"
    config.write_text('[redis]\nurl = "redis://:s3cret@cache.example:6379/0"\n')
    done = penstock("up", "--kafka-port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the embedded stack runs on this machine; ")
    assert "cache.example:6379" in done.stderr
    assert "s3cret" not in done.stderr


def test_an_unreachable_broker_is_told_at_once(tmp_path: Path) -> None:
    servers = f"127.0.0.1:{free_port()}"
    config = tmp_path / "penstock.toml"
    config.write_text(f'[kafka]\nbootstrap_servers = "{servers}"\n')
    for command in (
        ("topics", "list"),
        ("recall", "--user", "u"),
        ("click", "--user", "u", "--item", "i"),
        ("tail", "events"),
    ):
        done = penstock(*command, cwd=tmp_path)
        assert done.returncode == 1, command
        assert len(done.stderr.splitlines()) == 1, command
        assert servers in done.stderr


def test_the_demo_ends_by_itself_and_tells_what_it_measured(tmp_path: Path) -> None:
    done = penstock("demo", "--seconds", "20", "--json", *BARE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["clicks"] > 0
    assert report["events"] > report["recalls"] > 0
    assert report["changed_after_click"] >= 0.9
    # On a busy machine the model learns much between two looks: lists move a little without a
    # click, too, so it is told by how far they move.
    assert report["kept_after_click"] < report["kept_without_click"]
    assert report["new_items_recalled"] > 0
    assert report["ctr_recall"] > report["ctr_random"] > 0
    for times in ("click_to_user_vector_ms", "event_to_searchable_ms", "recall_ms"):
        assert 0 < report[times]["p50"] <= report[times]["p99"]
    assert [path.name for path in tmp_path.iterdir()] == [".penstock"]  # nothing lies about


def test_up_serves_the_dashboard_and_goes_on_without_it(tmp_path: Path) -> None:
    process = start_penstock("up", *PORTS, "--dashboard-port", "0", cwd=tmp_path)
    said = process.stderr
    assert said is not None
    try:
        line = next(line for line in said if line.startswith("dashboard at "))
        eventually(lambda: _answers(line.split()[-1]), bool, "the page is served")
        (page,) = [pid for pid in children_of(process.pid) if " dashboard " in _arguments(pid)]
        os.kill(page, signal.SIGKILL)
        assert any("without a dashboard from here on" in line for line in said)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _arguments(pid: int) -> str:
    listed = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(listed, capture_output=True, text=True, check=False).stdout

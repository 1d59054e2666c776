"""The example client for Node.js, installed from its lock file, against a running stack."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.events import Item
from tests.support.live import Live

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "node"
NODE, NPM = shutil.which("node"), shutil.which("npm")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if NODE is None or NPM is None:
        pytest.skip("node and npm are not installed; Node.js 18 or later would run this")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "recall.mjs"):
        shutil.copy(EXAMPLE / name, folder)
    command = [NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.skip(f"npm could not install the example's packages: {done.stderr[-300:]}")
    return folder


def recall(folder: Path, live: Live, *options: str) -> dict[str, Any]:
    assert NODE is not None
    settings = live.settings
    command = [NODE, "recall.mjs", "--namespace", settings.namespace, *options]
    env = os.environ | {"KAFKA": settings.kafka.bootstrap_servers}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    reply: dict[str, Any] = json.loads(done.stdout)
    return reply


def test_the_lock_file_names_no_place_but_the_public_registry() -> None:
    lock = json.loads((EXAMPLE / "package-lock.json").read_text(encoding="utf-8"))
    packages = [package for name, package in lock["packages"].items() if name]
    assert len(packages) == 2
    for package in packages:
        assert package["integrity"].startswith("sha512-")
        place = package.get("resolved", "https://registry.npmjs.org/")
        assert place.startswith("https://registry.npmjs.org/")


def test_node_asks_by_items_and_by_user_as_python_does(live: Live, installed: Path) -> None:
    cities = {"node-0": "x", "node-1": "x", "node-2": "y"}
    live.put_items(Item(name, 0, {"a": "b"}, {"city": city}) for name, city in cities.items())
    reply = recall(installed, live, "--item", "node-0", "-k", "5", "--filter", '{"city": "x"}')
    assert (reply["status"], reply["shards_answered"]) == ("ok", reply["shards_asked"])
    # Defaults are left out of messages; other tests' items have no such city.
    assert [item["item_id"] for item in reply["items"]] == ["node-1"]
    reply = recall(installed, live, "--user", "nobody-from-node", "-k", "3")
    assert (reply["status"], reply["reason"]) == ("degraded", "unknown user")
    assert len(reply["items"]) == 3
    reply = recall(installed, live, "--user", "u", "-k", "0")
    assert reply["error"]["value"] == "0"

"""docs/asyncapi.json against the AsyncAPI initiative's own parser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "asyncapi"
DOCUMENT = ROOT / "docs" / "asyncapi.json"


@pytest.fixture(scope="module")
def parser() -> None:
    """The parser as the lock file says, installed once, from npm's cache where it is there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm on PATH")
    lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    options = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        ["npm", "ci", *options], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    if done.returncode and ("ENOTFOUND" in done.stderr or "EAI_AGAIN" in done.stderr):
        pytest.skip(f"needs npm's registry, or its cache: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr


def validated(*documents: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["node", "validate.mjs", *map(str, documents)],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_document_is_valid_and_broken_ones_are_not(parser: None, tmp_path: Path) -> None:
    def broken(name: str, document: dict[str, Any]) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    operation = next(iter(document["operations"]))
    no_info = {key: value for key, value in document.items() if key != "info"}
    loose = json.loads(json.dumps(document))
    loose["operations"][operation]["channel"] = {"$ref": "#/channels/nowhere"}
    odd = json.loads(json.dumps(document))
    odd["operations"][operation]["action"] = "shout"
    own, *others = validated(
        DOCUMENT, broken("no-info", no_info), broken("loose", loose), broken("odd", odd)
    )
    assert (own["valid"], own["errors"]) == (True, [])
    for other in others:
        assert not other["valid"], other["path"]
        assert other["errors"], other["path"]

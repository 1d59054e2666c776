"""The packages: ours by name, and all of them installed."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_LEVEL = ("schemas", "streams", "towers", "index_service", "ops")


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_each_name_is_ours(name: str) -> None:
    """The names are common words: another distribution could bring one and win."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")


def test_every_package_of_the_tree_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = [
        ".".join(folder.relative_to(ROOT).parts)
        for name in TOP_LEVEL
        for folder in (ROOT / name, *(ROOT / name).rglob("*"))
        if (folder / "__init__.py").is_file()
    ]
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(found)


def test_no_folder_with_code_lacks_its_init() -> None:
    folders = {path.parent for name in TOP_LEVEL for path in (ROOT / name).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_dashboards_files_are_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["ops.dashboard"]
    folder = ROOT / "ops" / "dashboard"
    installed = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    there = {path for path in (folder / "static").rglob("*") if path.is_file()}
    assert installed == there
    names = {path.name for path in there}
    assert {"index.html", "uplot.iife.min.js", "uplot-license.txt"} <= names

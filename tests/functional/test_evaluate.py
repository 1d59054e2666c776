"""`penstock evaluate` on data sets, without Kafka or Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import movielens
from tests.support.command import penstock
from tests.unit.ops.datasets.test_mind import SAMPLE

_EVENTS = "action,user_id,item_id,request_id,ts_ms\n" + "".join(
    f"exposure,u{n % 4},i{n % 8},r{n},{n * 1000}\n" + f"click,u{n % 4},i{n % 8},r{n},{n * 1000}\n"
    for n in range(80)
)
"""Every user has two items in turn; each item comes every eight seconds."""


def evaluated(*arguments: str) -> dict[str, Any]:
    done = penstock("evaluate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def by_model(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in report["rows"]}


def test_a_csv_by_hand(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text(_EVENTS)
    report = evaluated("--dataset", "csv", "--path", str(events), "--models", "random,penstock")
    assert (report["dataset"], report["events"], report["clicks"]) == ("csv", 160, 80)
    assert report["stream"]["unseen_share"] == 0.1
    assert report["exclude_own"] is False
    for row in report["rows"]:
        assert row["recall@10"] == 0.9  # all of the eight items, as soon as they were seen
        assert row["coverage"] == 1
    excluded = evaluated(
        "--dataset", "csv", "--path", str(events), "--models", "random", "--exclude-own"
    )
    assert excluded["rows"][0]["recall@10"] == 0


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    for arguments, told in (
        (("--models", "penstok"), "did you mean 'penstock'?"),
        (("--sync-interval", "soon"), "a sync interval is live, never or like"),
        (("--dataset", "netflix"), "a data set has a known name"),
    ):
        done = penstock("evaluate", *arguments)
        assert done.returncode == 1
        assert told in done.stderr and "Traceback" not in done.stderr


def test_the_beginning_of_movielens(tmp_path: Path) -> None:
    """Penstock finds more than popularity, popularity more than chance; stale, it finds less."""
    movielens.dataset()
    out = tmp_path / "out"
    report = evaluated(
        "--models", "random,popularity,penstock", "--limit", "3000",
        "--sync-interval", "live,24h", "--out", str(out),
    )  # fmt: skip
    live, stale = [row for row in report["rows"] if row["model"] == "penstock"]
    rows = by_model(report)
    assert live["recall@50"] > rows["popularity"]["recall@50"] > 2 * rows["random"]["recall@50"]
    assert live["recall@50"] > 1.2 * stale["recall@50"]
    chance, random = report["stream"]["random_expected@50"], rows["random"]
    assert random["recall@50_low"] - 0.01 < chance < random["recall@50_high"] + 0.01
    assert json.loads((out / "evaluation.json").read_text()) == report
    assert (out / "evaluation.png").stat().st_size > 10_000


def test_the_mind_sample_where_it_lies_beside_the_project() -> None:
    """On news what is fresh is what counts."""
    if not SAMPLE.is_dir():
        pytest.skip(f"needs a sample of MIND, which may not be passed on, in {SAMPLE}")
    rows = by_model(
        evaluated(
            "--dataset",
            "mind",
            "--path",
            str(SAMPLE),
            "--limit",
            "60000",
            "--models",
            "random,popularity,popularity-50,exposures-12",
        )
    )
    assert rows["popularity"]["recall@50"] > 5 * rows["random"]["recall@50"]
    assert rows["popularity-50"]["recall@50"] > 1.2 * rows["popularity"]["recall@50"]
    assert rows["exposures-12"]["recall@50"] > rows["popularity-50"]["recall@50"]

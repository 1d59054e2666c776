"""The command line against a running stack."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.status import ROLES
from schemas.topics import NEGATIVES
from tests.support.command import penstock
from tests.support.live import Live
from tests.support.polling import eventually
from tests.support.scenarios import catalogue

EVENTS_CSV = """\
action,user_id,item_id,request_id,ts_ms,ctx.city
exposure,csv-u,csv-a,csv-r,1000,Oslo
exposure,csv-u,csv-b,csv-r,1000,Oslo
click,csv-u,csv-a,csv-r,1500,Oslo
view,csv-u,csv-b,csv-r,1600,Oslo
"""

ITEMS_CSV = """\
item_id,feature.kind,attribute.kind
csv-a,bell,bell
csv-b,drum,drum
csv-c,bell,bell
"""


def test_doctor_finds_nothing_wrong(live: Live) -> None:
    done = penstock("doctor", "--json", settings=live.settings)
    checks = {check["name"]: check["state"] for check in json.loads(done.stdout)}
    assert done.returncode == 0
    assert set(checks.values()) == {"ok"}
    assert {f"role {role}" for role in ROLES} <= set(checks)


def test_doctor_as_a_health_check(live: Live) -> None:
    assert penstock("doctor", "--role", "index", settings=live.settings).returncode == 0
    elsewhere = live.settings.model_copy(update={"namespace": "elsewhere"})
    done = penstock("doctor", "--role", "index", "--json", settings=elsewhere)
    assert done.returncode == 1
    (check,) = json.loads(done.stdout)
    assert (check["state"], check["found"]) == ("failed", "not running")
    assert "penstock run index" in check["advice"]


def test_topics_are_listed_and_created_once(live: Live) -> None:
    listed = json.loads(penstock("topics", "list", "--json", settings=live.settings).stdout)
    assert all(row["on_broker"] == row["partitions"] for row in listed)
    again = penstock("topics", "create", "--json", settings=live.settings)
    assert json.loads(again.stdout) == {"created": []}
    other = live.settings.topics.model_copy(update={"partitions": 7})
    done = penstock("topics", "create", settings=live.settings.model_copy(update={"topics": other}))
    assert done.returncode == 1
    assert "has 4 partitions, the settings say 7" in done.stderr


def test_click_then_recall(live: Live) -> None:
    items = live.put_items(catalogue("cli", ("x", "y"), 6))
    done = penstock(
        "click", "--user", "cli-u", "--item", items[0], "--json", settings=live.settings
    )
    assert json.loads(done.stdout)["click_to_user_vector_ms"] >= 0
    asked = ("recall", "--user", "cli-u", "-k", "50", "--filter", "prefix=cli", "--json")
    reply = json.loads(penstock(*asked, settings=live.settings).stdout)
    assert reply["status"] == "ok"
    assert {item["item_id"] for item in reply["items"]} == set(items) - {items[0]}
    only_y = penstock(*asked, "--filter", "kind=y", "--filter", "number>=3", settings=live.settings)
    found = {item["item_id"] for item in json.loads(only_y.stdout)["items"]}
    assert found == {"cli-y-3", "cli-y-4", "cli-y-5"}
    people = penstock("recall", "--item", items[0], settings=live.settings)
    assert "nearest" in people.stdout
    refused = penstock("recall", "--user", "cli-u", "-k", "0", settings=live.settings)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert "Traceback" not in refused.stderr


def test_replay_of_a_csv_and_tail(live: Live, tmp_path: Path) -> None:
    events, items = tmp_path / "events.csv", tmp_path / "items.csv"
    events.write_text(EVENTS_CSV)
    items.write_text(ITEMS_CSV)
    done = penstock(
        "replay", "csv", "--path", str(events), "--items", str(items), "--json",
        settings=live.settings,
    )  # fmt: skip
    replayed = json.loads(done.stdout)
    assert (replayed["items"], replayed["events"], replayed["clicks"]) == (3, 4, 1)
    for item in ("csv-a", "csv-b", "csv-c"):
        live.await_searchable(item)
    record = live.await_refreshed("csv-u", 1_000_000)
    assert set(record.latest) == {"csv-a", "csv-b"}
    assert live.recalled("csv-u", filter={"kind": "bell"}) == ["csv-c"]

    done = penstock("tail", "events", "-b", "--no-follow", settings=live.settings)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    told = [line["value"] for line in lines if "value" in line]  # others send what can't be read
    mine = [
        event
        for value in told
        if isinstance(value, list)
        for event in value
        if event["user_id"] == "csv-u"
    ]
    assert [event["action"] for event in mine] == ["exposure", "exposure", "click", "view"]
    assert all(event["context"] == {"city": "Oslo"} for event in mine)


def test_every_topic_can_be_told(live: Live) -> None:
    live.put_items(catalogue("told", ("x",), 2))
    live.visit("told-u", ["told-x-0", "told-x-1"], ["told-x-0"])
    eventually(lambda: live.samples(NEGATIVES), bool, "a negative")
    for topic in ("positives", "negatives", "items", "item-vectors", "recall.replies"):
        done = penstock("tail", topic, "-b", "--no-follow", "-n", "3", settings=live.settings)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, topic
        assert all("undecodable" not in line for line in lines)

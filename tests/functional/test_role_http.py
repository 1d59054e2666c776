"""What each role of a running stack tells by HTTP, against what was done to it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ops.metrics_reference import SPECS_BY_ROLE, SPECS_OF_ALL
from schemas.errors import RecallRefused
from schemas.events import Event, Item
from schemas.status import ROLES, Role
from tests.support.command import start_penstock
from tests.support.live import Live, now_ms
from tests.support.polling import eventually
from tests.support.scrapes import Scrapes
from tests.support.servers import free_port


@pytest.fixture
def scrapes(live: Live) -> Scrapes:
    return Scrapes(live.stack)


@pytest.mark.parametrize("role", ROLES)
def test_a_running_role_is_alive_and_ready(scrapes: Scrapes, role: Role) -> None:
    code, said = scrapes.page(role, "/healthz")
    assert (code, said["alive"]) == (200, True)
    assert 0 <= said["idle_s"] < 10
    assert scrapes.page(role, "/readyz") == (200, {"ready": True, "reason": ""})


@pytest.mark.parametrize("role", ROLES)
def test_every_metric_of_the_page_is_scraped(live: Live, scrapes: Scrapes, role: Role) -> None:
    live.put_items([Item("scraped", now_ms())])
    names = {
        f"{spec.name}_count" if spec.kind == "histogram" else spec.name
        for spec in (*SPECS_OF_ALL, *SPECS_BY_ROLE[role])
    }
    eventually(
        lambda: names - scrapes.metrics(role).keys(), lambda missing: not missing, "every metric"
    )


def test_counters_count_what_happened(live: Live, scrapes: Scrapes) -> None:
    shown = live.put_items([Item(f"counted-{n}", now_ms()) for n in range(8)])
    counted: dict[tuple[Role, str, str], int] = {
        ("label-positives", "penstock_label_events_total", "exposure"): 8,
        ("label-positives", "penstock_label_events_total", "positive"): 2,
        ("label-positives", "penstock_label_events_total", "signal"): 0,
        ("label-positives", "penstock_label_duplicate_events_total", ""): 1,
        ("label-positives", "penstock_label_samples_total", "positive"): 2,
        ("label-positives", "penstock_label_read_events_total", ""): 11,
        ("label-negatives", "penstock_label_read_events_total", ""): 11,
        ("label-negatives", "penstock_label_duplicate_events_total", ""): 0,
        ("label-negatives", "penstock_label_samples_total", "exposure_negative"): 6,
        ("label-positives", "penstock_dead_letters_total", "unknown_action"): 1,
        ("label-positives", "penstock_dead_letters_total", "undecodable"): 1,
        ("label-negatives", "penstock_dead_letters_total", "undecodable"): 0,
        ("label-negatives", "penstock_label_refused_events_total", "undecodable"): 1,
        ("trainer", "penstock_trainer_samples_total", "positive"): 2,
        ("trainer", "penstock_trainer_samples_total", "exposure_negative"): 6,
        ("trainer", "penstock_click_to_user_vector_seconds_count", ""): 1,
        ("index", "penstock_recall_seconds_count", "ok"): 3,
        ("index", "penstock_recall_seconds_count", "degraded"): 1,
        ("index", "penstock_recall_seconds_count", "error"): 1,
    }

    def numbers() -> dict[tuple[Role, str, str], float]:
        pages = {role: scrapes.metrics(role) for role in ROLES}
        return {
            (role, name, label): pages[role][name][(label,) if label else ()]
            for role, name, label in counted
        }

    before = numbers()
    ts_ms = now_ms()
    events = [Event("exposure", "metre", item, "metre-1", ts_ms) for item in shown]
    events += [Event("click", "metre", item, "metre-1", ts_ms) for item in (*shown[:2], shown[0])]
    live.producer.send_many(events)
    live.producer.send(Event("stare", "metre", shown[0], "metre-1", ts_ms))
    live.producer.flush()
    live.send_raw(b"\xc1", key=b"metre")
    live.await_refreshed("metre", ts_ms)
    for _ in range(3):
        live.recalled("metre")
    live.recalled("nobody-knows-me")
    with pytest.raises(RecallRefused):
        live.recalled("metre", k=0)

    def grown() -> dict[tuple[Role, str, str], float]:
        return {key: number - before[key] for key, number in numbers().items()}

    eventually(grown, lambda seen: seen == counted, "each counter grew by what happened")


@pytest.mark.parametrize("role", ["label-positives", "label-negatives"])
def test_a_labeller_times_its_commits_and_rebalances(
    live: Live, scrapes: Scrapes, role: Role
) -> None:
    def commits() -> float:
        return scrapes.metrics(role)["penstock_label_commit_seconds_count"][()]

    before = commits()
    item = live.put_items([Item(f"committed-{role}", now_ms())])[0]
    live.producer.send(Event("click", f"commits-{role}", item, f"commits-{role}", now_ms()))
    live.producer.flush()
    eventually(commits, lambda now: now > before, "what is labelled is committed")
    pages = scrapes.metrics(role)
    assert pages["penstock_label_rebalance_seconds_count"][()] >= 1  # it joined its group
    for name in ("commit", "rebalance"):
        took_s = pages[f"penstock_label_{name}_seconds_sum"][()]
        assert 0 < took_s < 60 * pages[f"penstock_label_{name}_seconds_count"][()]


def test_a_caught_up_role_lags_by_nothing_and_knows_each_of_its_topics(
    live: Live, scrapes: Scrapes
) -> None:
    topics = {
        "label-positives": {"events"},
        "label-negatives": {"events"},
        "trainer": {"positives", "negatives", "items"},
        "index": {"item-vectors", "recall.requests"},
    }
    partitions = live.settings.topics.partitions
    for role in ROLES:

        def records(role: Role = role) -> dict[tuple[str, ...], float]:
            return scrapes.metrics(role).get("penstock_consumer_lag_records", {})

        lags = eventually(
            records, lambda lags: bool(lags) and not any(lags.values()), f"{role} has caught up"
        )
        assert {topic for *_, topic in lags} == topics[role]
        for topic in topics[role] - {"item-vectors"}:
            assert {(str(p), role, topic) for p in range(partitions)} <= lags.keys()
        seconds = scrapes.metrics(role)["penstock_consumer_lag_seconds"]
        assert seconds == dict.fromkeys(lags, 0.0)


def test_the_index_tells_each_shard(live: Live, scrapes: Scrapes) -> None:
    live.put_items([Item(f"shard-{n}", now_ms()) for n in range(8)])
    by_shard = scrapes.metrics("index")["penstock_index_items"]
    assert by_shard.keys() == {(str(n),) for n in range(live.settings.topics.shards)}
    assert all(by_shard.values())
    eventually(  # the status in Redis is up to a second old
        lambda: live.figure("index", "items"),
        lambda items: items == sum(by_shard.values()),
        "the status counts the items of all shards",
    )


def test_a_role_waits_for_kafka_alive_and_not_ready(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "penstock.toml"
    config.write_text(
        f'[kafka]\nbootstrap_servers = "127.0.0.1:{free_port()}"\n[http]\nport = {port}\n'
    )
    process = start_penstock("run", "label-positives", cwd=tmp_path)
    try:

        def page(path: str) -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                    return json.dumps(json.load(answer))
            except urllib.error.HTTPError as error:
                with error:
                    return error.read().decode()
            except OSError:
                return ""

        eventually(lambda: page("/healthz"), bool, "the role answers")
        assert json.loads(page("/healthz"))["alive"]
        assert json.loads(page("/readyz")) == {
            "ready": False,
            "reason": "waiting for Kafka and its topics",
        }
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0

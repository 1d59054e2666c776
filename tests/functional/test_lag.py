"""`penstock lag` on the embedded broker."""

from __future__ import annotations

import json
import subprocess

from ops.lag import subscriptions
from ops.stack import environment
from schemas.status import ROLES
from tests.support.command import COMMAND, penstock
from tests.support.lag_oracle import lag_is_what_was_written_less_what_was_committed
from tests.support.live import Live


def test_lag_against_the_oracle(live: Live) -> None:
    lag_is_what_was_written_less_what_was_committed(live.settings)


def test_the_command_lists_every_reading(live: Live) -> None:
    rows = json.loads(penstock("lag", "--json", settings=live.settings).stdout)
    layout = live.settings.topics
    expected = {
        (reading.role, reading.topic, part)
        for reading in subscriptions(live.settings)
        for part in range(
            layout.shards if reading.topic.endswith("item-vectors") else layout.partitions
        )
    }
    assert {(row["role"], row["topic"], row["partition"]) for row in rows} == expected
    table = penstock("lag", settings=live.settings).stdout
    assert all(role in table for role in ROLES)


def test_missing_topics_are_named(live: Live) -> None:
    elsewhere = live.settings.model_copy(update={"namespace": "elsewhere"})
    done = penstock("lag", settings=elsewhere)
    assert done.returncode == 1
    assert done.stderr.startswith("error: topics are laid out as the settings say; missing: ")
    assert "elsewhere.events" in done.stderr


def test_watching_goes_on_until_it_is_ended(live: Live) -> None:
    process = subprocess.Popen(
        [*COMMAND, "lag", "--watch", "--every", "0.2", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(live.settings),
    )
    assert process.stdout is not None
    try:
        looks = [json.loads(process.stdout.readline()) for _ in range(2)]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(looks[0]) == len(looks[1]) > 0

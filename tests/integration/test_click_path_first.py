"""A click is labelled at once after a restart, while the exposures are still being replayed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from schemas.events import CLICK, EXPOSURE, Event
from schemas.topics import NEGATIVES, POSITIVES
from tests.support.label_stage import await_negatives_of, stage
from tests.support.label_workers import LABEL_ROLES, read_samples
from tests.support.polling import eventually
from tests.support.servers import KafkaServer

_RECORDS = 10_000
"""Of one exposure each, so that their replay takes long."""
_RESTART = "restart"


@pytest.mark.parametrize("static", [True, False], ids=["named", "unnamed"])
def test_a_click_does_not_wait_for_the_replay_of_exposures(
    kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], static: bool
) -> None:
    """Both roles are killed and started; the positive is there before the replay is over.

    Named workers (instances) are back at once, others when their old session of 6 s has ended.
    """
    with stage(kafka, f"first-{static}", tmp_path) as (workers, events):
        for role in LABEL_ROLES:
            workers.start(role, static=static)
        for number in range(_RECORDS):
            request_id = f"r{number}"
            events.put(0, [Event(EXPOSURE, "u", "item", request_id, events.start_ms)])
        before = events.mark(0)
        events.flush()
        await_negatives_of(workers, {before})
        eventually(
            lambda: workers.lag("label-positives"), lambda records: records == 0, "clicks' lag of 0"
        )
        behind = workers.lag("label-negatives")
        assert behind > _RECORDS  # the first of them waits for its window
        ends = workers.ends(POSITIVES)

        joined = workers.joins("label-positives-0")
        for role in LABEL_ROLES:
            workers.kill(f"{role}-0")
        for role in LABEL_ROLES:
            workers.start(role, static=static)
        started_s = time.monotonic()
        events.put(0, [Event(CLICK, "u", "item", _RESTART, events.start_ms)])
        after = events.mark(0)
        events.flush()
        eventually(lambda: workers.joins("label-positives-0"), lambda seen: seen > joined, "a join")
        joined_s = time.monotonic() - started_s
        eventually(
            lambda: {s.request_id for s in read_samples(workers.settings, POSITIVES, ends)},
            lambda found: _RESTART in found,
            "the positive",
        )
        positive_s = time.monotonic() - started_s
        replaying = after not in {s.request_id for s in read_samples(workers.settings, NEGATIVES)}
        await_negatives_of(workers, {after})
        replayed_s = time.monotonic() - started_s
        assert replaying, "the positive is there while label-negatives still replays"
    figures = {
        "named": static,
        "records_replayed": behind,
        "restart_to_joined_s": round(joined_s, 2),
        "restart_to_positive_s": round(positive_s, 2),
        "restart_to_replayed_s": round(replayed_s, 2),
    }
    with capsys.disabled():
        print("\n" + json.dumps({"case": "click path after a restart", **figures}))

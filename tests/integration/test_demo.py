"""A demo on a Kafka that stays."""

from __future__ import annotations

import json
from pathlib import Path

from ops.broker import admin, existing_topics
from tests.support.command import penstock
from tests.support.live import Live


def test_a_demo_leaves_no_topic_behind(live: Live, tmp_path: Path) -> None:
    embedded = live.settings.embedded.model_copy(update={"data_dir": tmp_path})
    settings = live.settings.model_copy(update={"embedded": embedded})
    with admin(settings) as client:
        before = existing_topics(client)
    command = ("demo", "--external", "--seconds", "8", "--json", "--no-dashboard")
    done = penstock(*command, settings=settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["clicks"] > 0
    with admin(settings) as client:
        assert existing_topics(client) == before

"""One stack on the embedded broker for all functional tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.stack import Stack
from schemas.settings import EmbeddedSettings, Settings
from tests.support.live import Live, fast_settings


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("embedded")
    with Stack(embedded_settings(folder), kafka_port=0, redis_port=0) as stack:
        running = Live(stack)
        try:
            yield running
        finally:
            running.close()


def embedded_settings(folder: Path) -> Settings:
    return fast_settings(Settings(embedded=EmbeddedSettings(data_dir=folder)), "functional")

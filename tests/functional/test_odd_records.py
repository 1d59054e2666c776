"""Odd records on the embedded broker, which has no limit to a record's size."""

from __future__ import annotations

from pathlib import Path

from ops.stack import Stack
from tests.functional.conftest import embedded_settings
from tests.support import odd_records
from tests.support.live import Live


def test_header_names_that_are_not_utf8(tmp_path: Path) -> None:
    """On a stack of its own: kafka-python, which other tests read `events` with, gives up here."""
    with Stack(embedded_settings(tmp_path), kafka_port=0, redis_port=0) as stack:
        running = Live(stack)
        try:
            odd_records.header_names_that_are_not_utf8_stop_nobody(running)
        finally:
            running.close()

"""Odd records on a real Apache Kafka."""

from __future__ import annotations

from tests.support import odd_records
from tests.support.live import Live


def test_header_names_that_are_not_utf8(live: Live) -> None:
    odd_records.header_names_that_are_not_utf8_stop_nobody(live)


def test_labels_above_the_brokers_limit(live: Live) -> None:
    odd_records.labels_above_the_brokers_limit_stop_nobody(live)

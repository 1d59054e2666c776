"""A library that repeats itself is let through now and then; our own lines always are."""

from __future__ import annotations

import logging

from ops.logs import Sparing


def record(name: str, level: int, at_s: float, message: str = "no %s") -> logging.LogRecord:
    made = logging.LogRecord(name, level, __file__, 1, message, ("broker",), None)
    made.created = at_s
    return made


def test_one_error_of_a_library_in_ten_seconds() -> None:
    sparing = Sparing()
    passed = [
        at
        for at in range(0, 30)
        if sparing.filter(record("aiokafka.conn", logging.ERROR, 100.0 + at))
    ]
    assert passed == [0, 10, 20]


def test_what_was_kept_back_is_counted() -> None:
    sparing = Sparing()
    for at in range(10):
        sparing.filter(record("kafka.net", logging.ERROR, 100.0 + at))
    later = record("kafka.cluster", logging.ERROR, 111.0)
    assert sparing.filter(later)
    assert later.getMessage() == "no broker kept_back=9"
    again = record("kafka.cluster", logging.ERROR, 122.0)
    assert sparing.filter(again)
    assert again.getMessage() == "no broker"


def test_our_own_lines_and_lesser_ones_always_pass() -> None:
    sparing = Sparing()
    for at in range(5):
        assert sparing.filter(record("streams.app", logging.ERROR, 100.0 + at))
        assert sparing.filter(record("aiokafka", logging.WARNING, 100.0 + at))

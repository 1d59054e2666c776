"""What repeats itself is let through now and then, and what was kept back is counted."""

from __future__ import annotations

import logging

import pytest

from ops.logs import Sparing, key_values


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


def test_ten_warnings_a_second_of_one_place_in_our_code() -> None:
    sparing = Sparing()
    flood = [record("streams.labellers", logging.WARNING, 100.0 + n / 1_000) for n in range(2_500)]
    passed = [line for line in flood if sparing.filter(line)]
    assert [line.created for line in passed] == [
        100.0 + (second * 1_000 + n) / 1_000 for second in range(3) for n in range(10)
    ]
    said = [line.getMessage() for line in passed]
    assert said[10] == said[20] == "no broker kept_back=990"
    assert {line for at, line in enumerate(said) if at not in (10, 20)} == {"no broker"}
    last = record("streams.labellers", logging.WARNING, 110.0)
    assert sparing.filter(last)
    # Every line passed or was said to be kept back.
    assert last.getMessage() == f"no broker kept_back={2_500 - 30 - 2 * 990}"


def test_places_do_not_share() -> None:
    sparing = Sparing()
    for _ in range(20):
        sparing.filter(record("streams.labellers", logging.WARNING, 100.0))
    elsewhere = record("streams.labellers", logging.WARNING, 100.0)
    elsewhere.lineno += 1
    assert sparing.filter(elsewhere)


def test_a_clock_set_back_keeps_nothing_back_for_long() -> None:
    sparing = Sparing()
    assert sparing.filter(record("aiokafka", logging.ERROR, 5_000.0))
    assert sparing.filter(record("aiokafka", logging.ERROR, 1_000.0))


def test_lesser_lines_always_pass() -> None:
    sparing = Sparing()
    for _ in range(50):
        assert sparing.filter(record("streams.app", logging.INFO, 100.0))
        assert sparing.filter(record("aiokafka", logging.WARNING, 100.0))


@pytest.mark.parametrize(
    "pairs",
    [
        {"event": "request_refused", "rule": "k must lie from 1 to 1000", "value": "0"},
        {"error": 'it\'s "both" \\ quotes = and\nlines', "n": "1"},
        {"only": "one"},
        {"empty": ""},
    ],
)
def test_the_pairs_of_a_line_come_back(pairs: dict[str, str]) -> None:
    line = " ".join(
        f"{key}={value if value.isidentifier() else repr(value)}" for key, value in pairs.items()
    )
    assert key_values(line) == pairs


@pytest.mark.parametrize("line", ["Traceback of a library", "a=b and more", "a='open", "", "=b"])
def test_other_lines_stay_whole(line: str) -> None:
    assert key_values(line) == {}


def test_a_line_can_t_overwrite_what_the_logger_says() -> None:
    assert key_values("level=9 state=up") == {"level_": "9", "state": "up"}


def test_exceptions_and_lists_are_one_value() -> None:
    error = ConnectionError("no (good) broker", 111)
    line = f"delivery=failing topic=t error={error!r} parts={[0, 1, 2]} action=retrying"
    assert key_values(line) == {
        "delivery": "failing",
        "topic": "t",
        "error": repr(error),
        "parts": "[0, 1, 2]",
        "action": "retrying",
    }


def test_what_was_quoted_by_someone_else_stays_as_it_is() -> None:
    assert key_values(r"a='\x' b=1") == {"a": r"'\x'", "b": "1"}

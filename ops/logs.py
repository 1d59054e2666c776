"""Logs of the roles: key=value lines on stderr, or JSON."""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import threading
import time

# These report each try to connect, up to a hundred lines a second while a broker is away.
_LOUD = ("aiokafka", "kafka", "faust", "mode", "asyncio")
_LOUD_PERIOD_S = 10.0

# A producer gone wrong makes a dead letter of each event, and each warns.
_OWN_LINES = 10
_OWN_PERIOD_S = 1.0


class _KeyValueFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{stamp}.{int(record.msecs):03d}Z level={record.levelname.lower()}"
        line = f"{head} logger={record.name} {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Sparing(logging.Filter):
    """Bounds what repeats itself, and says how many lines it kept back.

    Of the errors of each loud library one line passes every 10 s; of the warnings and errors of
    each place in our own code ten a second. The first line after some were kept back ends with
    `kept_back=` and their number.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shares: dict[object, _Share] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is let through."""
        library = record.name.partition(".")[0]
        loud = library in _LOUD
        if record.levelno < (logging.ERROR if loud else logging.WARNING):
            return True
        place = library if loud else (record.pathname, record.lineno)
        most, period_s = (1, _LOUD_PERIOD_S) if loud else (_OWN_LINES, _OWN_PERIOD_S)
        with self._lock:
            share = self._shares.setdefault(place, _Share(record.created))
            kept_back = share.take(record.created, most, period_s)
        if kept_back:
            record.msg = f"{record.getMessage()} kept_back={kept_back}"
            record.args = ()
        return kept_back is not None


class _Share:
    """The lines of one place in the present period."""

    def __init__(self, since_s: float) -> None:
        self._since_s = since_s
        self._passed = 0
        self._kept_back = 0

    def take(self, now_s: float, most: int, period_s: float) -> int | None:
        """None to keep the line back; else it passes, and so many were kept back before it."""
        if not 0 <= now_s - self._since_s < period_s:  # also when the clock was set back
            self._since_s, self._passed = now_s, 0
        if self._passed >= most:
            self._kept_back += 1
            return None
        self._passed += 1
        kept_back, self._kept_back = self._kept_back, 0
        return kept_back


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        fields: dict[str, object] = {
            "ts_ms": int(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            **(key_values(message) or {"message": message}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def key_values(message: str) -> dict[str, str]:
    """The pairs of a `key=value` line, quotes of values taken off; none when it is not all pairs.

    A value is quoted as `repr` does. Keys that JSON lines have of themselves get `_` behind them.
    """
    if not _PAIRS.fullmatch(message):
        return {}
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(message):
        name = f"{key}_" if key in _OWN_KEYS else key
        pairs[name] = _unquoted(value) if value[0] in "'\"" else value
    return pairs


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):  # quoted by someone else
        return value


_OWN_KEYS = ("ts_ms", "level", "logger", "exception")
_NEXT = r"(?= [a-z][a-z0-9_]*=|$)"
_VALUE = "|".join(
    (
        r"'(?:[^'\\]|\\.)*'(?!\S)",
        r'"(?:[^"\\]|\\.)*"(?!\S)',
        rf"[A-Za-z_][\w.]*\(.*?\){_NEXT}",  # an exception
        rf"\[.*?\]{_NEXT}",
        r"[^\s'\"]\S*",
    )
)
_PAIR = re.compile(rf"([a-z][a-z0-9_]*)=({_VALUE})")
_PAIRS = re.compile(rf"{_PAIR.pattern}(?: {_PAIR.pattern})*")


def configure_logs(debug: bool = False) -> None:
    """Log to stderr in the format that PENSTOCK_LOG_FORMAT names (`kv`, the default, or `json`)."""
    handler = logging.StreamHandler()
    as_json = os.environ.get("PENSTOCK_LOG_FORMAT") == "json"
    handler.setFormatter(_JsonFormatter() if as_json else _KeyValueFormatter())
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler])
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.ERROR)

"""Logs of the roles: key=value lines on stderr, or JSON."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter

# These report each try to connect, up to a hundred lines a second while a broker is away.
_LOUD = ("aiokafka", "kafka", "faust", "mode", "asyncio")
_LOUD_PERIOD_S = 10.0


class _KeyValueFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{stamp}.{int(record.msecs):03d}Z level={record.levelname.lower()}"
        line = f"{head} logger={record.name} {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Sparing(logging.Filter):
    """Lets one line of each loud library through every 10 s, with how many it kept back."""

    def __init__(self) -> None:
        super().__init__()
        self._said_s: dict[str, float] = {}
        self._kept_back: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is let through."""
        library = record.name.partition(".")[0]
        if library not in _LOUD or record.levelno < logging.ERROR:
            return True
        if record.created - self._said_s.get(library, -_LOUD_PERIOD_S) < _LOUD_PERIOD_S:
            self._kept_back[library] += 1
            return False
        self._said_s[library] = record.created
        if self._kept_back[library]:
            record.msg = f"{record.getMessage()} kept_back={self._kept_back.pop(library)}"
            record.args = ()
        return True


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "ts_ms": int(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def configure_logs(debug: bool = False) -> None:
    """Log to stderr in the format that PENSTOCK_LOG_FORMAT names (`kv`, the default, or `json`)."""
    handler = logging.StreamHandler()
    as_json = os.environ.get("PENSTOCK_LOG_FORMAT") == "json"
    handler.setFormatter(_JsonFormatter() if as_json else _KeyValueFormatter())
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler])
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.ERROR)

"""Logs of the roles: key=value lines on stderr, or JSON."""

from __future__ import annotations

import json
import logging
import os
import time

# These report every hiccup of a connection that they then mend; the roles say what matters.
_LOUD = ("aiokafka", "kafka", "faust", "mode", "asyncio")


class _KeyValueFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{stamp}.{int(record.msecs):03d}Z level={record.levelname.lower()}"
        line = f"{head} logger={record.name} {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


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
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler])
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.ERROR)

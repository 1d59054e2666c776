"""What the command line prints: figures as JSON for programs, words and tables for people."""

from __future__ import annotations

import msgspec
from rich.console import Console

out = Console(highlight=False)
"""Answers go to stdout."""

err = Console(stderr=True, highlight=False)
"""Progress and errors go to stderr, so that they never mix with an answer."""


def print_json(answer: object, console: Console = out) -> None:
    """One JSON value on one line of stdout, or where the console writes."""
    console.file.write(msgspec.json.encode(answer).decode() + "\n")
    console.file.flush()

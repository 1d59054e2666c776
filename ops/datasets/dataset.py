"""What a loader gives, and what it is asked with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.events import Event, Item


@dataclass(frozen=True)
class Dataset:
    """A data set as a stream, its size known before the first event is read."""

    name: str
    items: Sequence[Item]
    """The catalogue, to be published before the events."""
    events: Iterable[Event]
    """Can be read more than once, always the same; in time order unless the loader says not."""
    events_total: int
    clicks_total: int
    """Events whose action is `click`."""


@dataclass(frozen=True)
class DatasetOptions:
    """What the command line says about a data set."""

    cache_dir: Path
    """Downloaded data is kept here; see `default_cache_dir`."""
    say: Callable[[str], None]
    """Takes one line about what was tried or found."""
    path: Path | None = None
    """The user's own copy."""
    items: Path | None = None
    """A file of items beside a `csv` data set."""

"""What the front did, and what it did not understand."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from schemas.errors import DecodeError

_LOG = logging.getLogger(__name__)


@dataclass
class Counts:
    """Sums since the start, over all connections."""

    fetches: int = 0
    """Fetch requests of clients."""
    fetches_asked: int = 0
    """Fetch requests to the broker."""
    not_understood: int = 0
    """Frames passed on as they are because they could not be decoded."""
    _told: set[tuple[int, int]] = field(default_factory=set)

    def misunderstood(self, key: int, version: int, error: DecodeError) -> None:
        """Count a frame, and log the first of its API key and version."""
        self.not_understood += 1
        if (key, version) not in self._told:
            self._told.add((key, version))
            _LOG.warning("passed on without waiting: api_key=%d %s", key, error)

"""How often what was learned reaches serving, in event time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import SettingsError

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True)
class SyncInterval:
    """`live`: at once. `never`. Or each time another interval has passed since the first event."""

    name: str
    every_ms: int | None
    """0 for `live`, None for `never`."""


LIVE = SyncInterval("live", 0)
NEVER = SyncInterval("never", None)


def parse_interval(text: str) -> SyncInterval:
    """`live`, `never`, or a whole number of s, m, h or d. Raises SettingsError otherwise."""
    for known in (LIVE, NEVER):
        if text == known.name:
            return known
    match = re.fullmatch(r"([1-9]\d{0,6})([smhd])", text)
    if match is None:
        msg = f"a sync interval is live, never or like 30s, 5m, 1h, 7d; got {text!r}; correct it"
        raise SettingsError(msg)
    return SyncInterval(text, int(match[1]) * _UNITS_MS[match[2]])


class SyncClock:
    """Says when serving is brought up to date."""

    def __init__(self, interval: SyncInterval) -> None:
        self._every_ms = interval.every_ms
        self.live = interval == LIVE
        self._first_ms: int | None = None
        self._done = 0  # whole intervals

    def due(self, ts_ms: int) -> bool:
        """Whether another interval ended at or before this moment; time that goes back is none."""
        if not self._every_ms:
            return self._every_ms == 0
        if self._first_ms is None:
            self._first_ms = ts_ms
        passed = (ts_ms - self._first_ms) // self._every_ms
        if passed <= self._done:
            return False
        self._done = passed
        return True

"""`[labelling]`: what counts as what."""

from __future__ import annotations

from pydantic import Field

from schemas.settings.section import Section


class LabellingSettings(Section):
    """What counts as what, and how long to wait for it."""

    positives: dict[str, float] = Field(
        default={"click": 1.0, "like": 1.0, "favourite": 1.0, "share": 1.0}
    )
    """Actions that are positives, with their weights."""
    signals: dict[str, float] = Field(default={"view": 0.5})
    """Actions that enter the user's history with this weight and are no label."""
    window_ms: int = Field(default=900_000, ge=1)
    """An exposure without a positive is a negative this long after it."""
    lateness_ms: int = Field(default=10_000, ge=0)
    """How far behind the newest event of its partition an event may come."""
    max_skew_ms: int = Field(default=300_000, ge=0)
    """How far in the future an event may lie."""
    max_record_bytes: int = Field(default=1_000_000, ge=1)
    """A larger record of events is a dead letter."""
    max_pending_exposures: int = Field(default=1_000_000, ge=1)
    """Exposures that may wait in one partition, and positives remembered; beyond that the oldest
    are settled early, and counted. About 140 bytes each."""

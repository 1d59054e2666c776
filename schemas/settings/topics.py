"""`[topics]`: how they are laid out."""

from __future__ import annotations

from pydantic import Field

from schemas.settings.section import Section


class TopicSettings(Section):
    """How topics are laid out; see `penstock topics create`."""

    partitions: int = Field(default=4, ge=1)
    """Partitions of events, labels and recall: at most so many workers share a role's work."""
    shards: int = Field(default=2, ge=1)
    """Partitions of item-vectors: shards of the index."""
    replication_factor: int = Field(default=1, ge=1)
    """Copies of each partition; 3 in production."""

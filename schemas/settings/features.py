"""`[features]`: the kinds of items' and users' features."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings.section import Section

FeatureKind = Literal["categorical", "numeric", "log", "bucketed", "text", "ignore"]


class FeatureSettings(Section):
    """The kind of each feature. One not named here is numeric if a number, else categorical.

    A number is standardised as it is (`numeric`) or its logarithm is (`log`), or it is one of 16
    buckets with as many values each (`bucketed`).
    """

    items: dict[str, FeatureKind] = Field(default={})
    """Features of items."""
    users: dict[str, FeatureKind] = Field(default={})
    """Features in an event's context."""
    user_id: bool = False
    """A user's id is a feature too: an embedding for each user that acted."""
    text_buckets: int = Field(default=65_536, ge=1)
    """The words of a text feature share so many embeddings, by hash."""

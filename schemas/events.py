"""What producers publish: events (topic `events`) and items (topic `items`)."""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_ID_CHARS = 256

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)]
"""A user, item or request id: any text of 1 to 256 characters."""

TimestampMs = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Milliseconds since 1970-01-01 UTC; up to 2^53, what a JSON reader keeps exactly."""

FeatureValue = str | int | float | bool | list[str]
"""One feature or attribute: a category, a number, a flag, or several categories."""

EXPOSURE = "exposure"
CLICK = "click"
VIEW = "view"


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One thing that a user did, or was shown, at one moment."""

    action: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """`exposure`, or one of the configured positives (`click`, ...) or signals (`view`, ...)."""
    user_id: Id
    item_id: Id
    request_id: Id
    """The request whose list showed the item; (request_id, item_id) is the join key."""
    ts_ms: TimestampMs
    """When it happened, by the producer's clock."""
    position: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Rank in the shown list, 0 at the top."""
    context: dict[str, FeatureValue] = {}
    """Features of the user or of the moment: age group, city, device, hour."""


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item of the catalogue; the latest record of an item id is the whole truth about it."""

    item_id: Id
    ts_ms: TimestampMs
    """When this state of the item came to be."""
    features: dict[str, FeatureValue] = {}
    """What the item tower learns from."""
    attributes: dict[str, FeatureValue] = {}
    """What a recall request may filter on."""
    available: bool = True
    """False takes the item out of every recall until it is true again."""

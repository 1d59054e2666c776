"""What the trainer publishes: item vectors (topic `item-vectors`) and user records (Redis)."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.events import FeatureValue

Float32Array = npt.NDArray[np.float32]


def pack_vector(vector: Float32Array) -> bytes:
    """A vector as little-endian float32 bytes, 4 per dimension."""
    return vector.astype("<f4", copy=False).tobytes()


def unpack_vector(data: bytes) -> Float32Array:
    """The vector of `pack_vector`, read-only. Raises ValueError unless the length divides by 4."""
    return np.frombuffer(data, dtype="<f4")


class ItemVector(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item as the index serves it. A null record value deletes the item."""

    item_id: str
    epoch: int
    """Which model: vectors of different epochs can't be compared."""
    step: int
    """The trainer's step that made this vector."""
    vector: bytes
    """Unit length, `pack_vector`."""
    trend_clock: float
    """Positives that the trainer had seen when the counts were true: the unit of half-lives."""
    counts: dict[str, float] = {}
    """Decayed counts at `trend_clock`, by kind and half-life: `positives@200`, `exposures@200`,
    and so on; what is left out is 0."""
    attributes: dict[str, FeatureValue] = {}
    available: bool = True
    event_ts_ms: int = 0
    """Event time of the item record, or of the first sample of an item without one, that this
    vector is the first to have; 0 where there is none such."""
    published_ms: int = 0


class UserRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user as recall reads it, one Redis value at `user_key`."""

    epoch: int
    step: int
    vector: bytes
    """Unit length, `pack_vector`."""
    scale: float
    """Factor of the cosine in the blended score."""
    weights: dict[str, float]
    """Weight of each other signal of the score: `positives@200`, `similar`, `context:city`, ..."""
    trend_clock: float
    """The trainer's clock, to decay the items' counts to."""
    latest: list[str] = []
    """Items acted upon, newest first."""
    seen: list[str] = []
    """Items acted upon or shown and passed over, newest first; what `exclude_seen` leaves out."""
    similar: dict[str, float] = {}
    """Items that come next where the user's last ones were, and how much."""
    together: dict[str, float] = {}
    """Items that others took with those of the user's history, and how much."""
    pairs: dict[str, float] = {}
    """Items that those of the user's history speak for or, below 0, against, as learned."""
    context: dict[str, dict[str, float]] = {}
    """By feature of the user's context: what is taken where it has the user's value, how much."""
    event_ts_ms: int = 0
    """Event time of the newest sample in this record."""
    refreshed_ms: int = 0
    """When the trainer wrote this record."""


class ContextRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is taken where a feature of the context has a value, one Redis value at `context_key`.

    For recall that is told the context; a `UserRecord` has that of the user's last event itself.
    """

    epoch: int
    step: int
    items: dict[str, float]
    """As in `UserRecord.context`."""
    refreshed_ms: int = 0
    """When the trainer wrote this record."""


ANYONE = ""
"""In place of a user id: the record for those who have none."""


def user_key(namespace: str, epoch: int, user_id: str) -> str:
    """Redis key of a user's record."""
    return f"{namespace}:user:{epoch}:{user_id}"


def context_key(namespace: str, epoch: int, value: str) -> str:
    """Redis key of the record of a value, which is `feature=value`."""
    return f"{namespace}:context:{epoch}:{value}"

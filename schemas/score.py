"""The score that ranks items: a sum of signals with weights that the trainer learns online.

    scale * cosine + sum of weight * log(1 + count / PRIOR) + sum of weight * mark

The weights ride in the user's record, by the names below, so what they mean is part of the wire
contract, and the trainer that learns them computes by this module what the index ranks by. A name
that one side does not know counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from schemas.settings import TowerSettings

Doubles = npt.NDArray[np.float64]

POSITIVES = "positives"
EXPOSURES = "exposures"
SIMILAR = "similar"
"""Comes next where the user's last items, taken, looked at or shown, were the last."""
TOGETHER = "together"
"""Taken or looked at by those who took or looked at what the user did."""
PAIRS = "pairs"
"""What each item that the user took or looked at says for or against it, as learned."""
RECENT = "recent"
"""The user took or looked at it: 1 for the newest item, less for each older one."""
TAKEN = "taken"
"""The same, 1 for each."""
CONTEXT = "context:"
"""In front of a feature's name: the item is taken where that feature has the user's value."""

PRIOR = 0.1
"""Added to a count, so that one that was never seen has a logarithm: about what is left of one
event after three half-lives."""
RECENT_DECAY = 0.8

K = TypeVar("K")
Marks = dict[str, dict[K, float]]
"""By signal: what few items have of it; all others have 0."""


def count_name(kind: str, half_life: float) -> str:
    """Name of the decayed counts of `positives` or `exposures`: `positives@200`."""
    return f"{kind}@{half_life:g}"


def count_names(half_lives: Sequence[float]) -> list[str]:
    """All counts of an item: of positives, then of exposures, in the order of `half_lives`."""
    return [count_name(kind, each) for kind in (POSITIVES, EXPOSURES) for each in half_lives]


def first_weights(towers: TowerSettings) -> dict[str, float]:
    """Weights of the slowest counts before anything is learned; no other signal has any yet."""
    names = count_names(sorted(towers.trend_half_lives)[-1:])
    return dict(zip(names, (towers.positives_weight, towers.exposures_weight), strict=False))


@lru_cache(1_024)  # names come with records: a query asks for the same few again and again
def half_life_of(name: str) -> float | None:
    """Half-life of the counts of that name, on the trainer's clock; None if it names none."""
    kind, _, half_life = name.partition("@")
    try:
        found = float(half_life)
    except ValueError:
        return None
    return found if kind in (POSITIVES, EXPOSURES) and 0 < found < np.inf else None


def faded(counts: Doubles, ages: Any, half_lives: Any) -> Doubles:
    """Counts as they are so much later; one from after that moment is taken as it is."""
    return np.asarray(counts * np.exp2(-np.maximum(ages, 0.0) / half_lives))


def bias(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The signal of decayed counts, of the same shape: 0 where nothing was counted."""
    return np.asarray(np.log1p(counts / PRIOR))


def unbiased(biases: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The counts that have these signals."""
    return np.asarray(PRIOR * np.expm1(biases))


def session_marks(latest: Iterable[K]) -> Marks[K]:
    """Signals of the items that the user took or looked at, newest first."""
    items = list(latest)
    return {
        RECENT: {item: RECENT_DECAY**age for age, item in enumerate(items)},
        TAKEN: dict.fromkeys(items, 1.0),
    }


def blended(
    cosines: npt.NDArray[Any],
    scale: float,
    weights: Mapping[str, float],
    biases: Mapping[str, npt.NDArray[Any]],
    marks: Mapping[str, tuple[npt.NDArray[np.intp], Doubles]],
) -> Doubles:
    """(items,): the score of each item.

    cosines: (items,). biases: by name, (items,) each. marks: by name, the places of the few items
    that have any, distinct, and what they have.
    """
    scores = scale * cosines.astype(np.float64)
    for name, values in biases.items():
        weight = weights.get(name, 0.0)
        if weight:
            scores += weight * values
    for name, (places, marked) in marks.items():
        weight = weights.get(name, 0.0)
        if weight:
            scores[places] += weight * marked
    return scores

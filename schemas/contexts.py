"""Where a user is: the values of a context's features that items are counted within."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.events import FeatureValue
from schemas.settings import FeatureKind

MOST_VALUES = 32
"""In the context of a recall request."""


def context_values(
    context: Mapping[str, FeatureValue], kinds: Mapping[str, FeatureKind]
) -> Iterator[tuple[str, str]]:
    """Each feature with a value of it, as `feature=value`.

    A category is a value; so is a flag, and each of several categories. A number is one only
    where `kinds`, of `features.users`, calls the feature categorical, and text never.
    """
    for feature, value in context.items():
        kind = kinds.get(feature)
        if kind not in (None, "categorical"):
            continue
        for one in value if isinstance(value, list) else [value]:
            if kind or isinstance(one, str | bool):
                yield feature, f"{feature}={one}"

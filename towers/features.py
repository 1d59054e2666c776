"""Features as weighted tokens, so that no tower depends on which features exist."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from schemas.events import FeatureValue
from schemas.settings import FeatureKind

_LARGEST = 1e15  # beyond this a square no longer fits a sum of squares

_WORD = re.compile(r"\w+")


class Token(NamedTuple):
    """One embedding row to sum, by its name, and its weight."""

    name: str
    weight: float
    """Final weight; for a numeric token the raw value, which `Moments` standardises later."""
    numeric: bool = False


class FeatureReader:
    """Turns features into tokens; kinds not given are numeric for a number, else categorical.

    categorical: `name=value`, weight 1; a list of n values 1/n each. text: `name~word` per
    lower-cased word, 1/sqrt(n) each. numeric: `name` with the raw value. ignore: nothing.
    What a kind can't read (text from a number, not-a-number) gives nothing and is counted.
    """

    def __init__(self, kinds: Mapping[str, FeatureKind]) -> None:
        self._kinds = dict(kinds)
        self.unusable = 0
        """Values that gave nothing: not finite, beyond 1e15, or not of their kind."""

    def read(self, features: Mapping[str, FeatureValue]) -> list[Token]:
        """The tokens of all features, in the order of the features."""
        tokens: list[Token] = []
        for name, value in features.items():
            kind = self._kinds.get(name) or ("numeric" if _is_number(value) else "categorical")
            if kind == "categorical":
                tokens += _categories(name, value)
            elif kind == "text":
                tokens += _words(name, value)
            elif kind == "numeric":
                tokens += self._number(name, value)
        return tokens

    def _number(self, name: str, value: FeatureValue) -> list[Token]:
        number = math.nan if isinstance(value, list) else _parsed(value)
        if not abs(number) <= _LARGEST:  # written so that not-a-number is refused too
            self.unusable += 1
            return []
        return [Token(name, number, numeric=True)]


def _is_number(value: FeatureValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parsed(value: str | int | float | bool) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):  # no number; an int beyond the floats
        return math.nan


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _categories(name: str, value: FeatureValue) -> list[Token]:
    values = value if isinstance(value, list) else [_text(value)]
    return [Token(f"{name}={one}", 1 / len(values)) for one in values]


def _words(name: str, value: FeatureValue) -> list[Token]:
    text = " ".join(value) if isinstance(value, list) else _text(value)
    words = _WORD.findall(text.lower())
    return [Token(f"{name}~{word}", 1 / math.sqrt(len(words))) for word in words]

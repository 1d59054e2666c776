"""Features as weighted tokens, so that no tower depends on which features exist.

A token's embedding row, summed in by its weight, is what a dense layer makes of that coordinate:
of a category's one-hot vector the row is the layer's column. So one-hot needs no way of its own,
however small the vocabulary.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

import xxhash

from schemas.events import FeatureValue
from schemas.settings import FeatureKind

_LARGEST = 1e15  # beyond this a square no longer fits a sum of squares

_WORD = re.compile(r"\w+")


class Token(NamedTuple):
    """One embedding row to sum, by its name, and its weight."""

    name: str
    weight: float
    """Final; of a number the raw value, which `Numbers` makes a weight when it is read."""
    number: Literal["", "standardised", "bucketed"] = ""


class FeatureReader:
    """Turns features into tokens; kinds not given are numeric for a number, else categorical.

    categorical: `name=value`, weight 1; a list of n values 1/n each. text: per lower-cased word
    `name~b`, b one of `text_buckets` by hash, 1/sqrt(n) each. numeric, log, bucketed: `name` with
    the raw value, of log its sign(x) log(1 + |x|). ignore: nothing.

    A missing feature gives nothing. So does what a kind can't read (text from a number, not-a-
    number), which is counted. A value never seen before is a token like any other.
    """

    def __init__(self, kinds: Mapping[str, FeatureKind], text_buckets: int) -> None:
        self._kinds = dict(kinds)
        self._text_buckets = text_buckets
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
                tokens += _words(name, value, self._text_buckets)
            elif kind != "ignore":
                tokens += self._number(name, value, kind)
        return tokens

    def _number(self, name: str, value: FeatureValue, kind: FeatureKind) -> list[Token]:
        number = math.nan if isinstance(value, list) else _parsed(value)
        if not abs(number) <= _LARGEST:  # written so that not-a-number is refused too
            self.unusable += 1
            return []
        if kind == "log":
            number = math.copysign(math.log1p(abs(number)), number)
        return [Token(name, number, "bucketed" if kind == "bucketed" else "standardised")]


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


def _words(name: str, value: FeatureValue, buckets: int) -> list[Token]:
    text = " ".join(value) if isinstance(value, list) else _text(value)
    words = _WORD.findall(text.lower())
    hashed = (xxhash.xxh3_64_intdigest(word.encode()) % buckets for word in words)
    return [Token(f"{name}~{bucket}", 1 / math.sqrt(len(words))) for bucket in hashed]

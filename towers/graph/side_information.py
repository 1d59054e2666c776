"""Items' features as tokens of fields: the side information of EGES."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from schemas.events import FeatureValue
from towers.arrays import Doubles, Ints, ints
from towers.features import FeatureReader, Token

_BUCKETS = 16

Features = Mapping[str, FeatureValue]


class SideInformation:
    """The fields and tokens of some items: a field for each feature, its values or words as tokens.

    A number is one of 16 buckets with as many values each. Fields and tokens are numbered as the
    items bring them, and are all that is known afterwards: other ones say nothing.
    """

    def __init__(self, items: Sequence[Features], reader: FeatureReader) -> None:
        self._reader = reader
        self._fields: dict[str, int] = {}
        self._edges: dict[str, Doubles] = {}
        self._tokens: dict[str, int] = {}
        values: dict[str, list[float]] = {}
        for features in items:
            for field, tokens in self._read(features):
                self._fields.setdefault(field, len(self._fields))
                values.setdefault(field, []).extend(one.weight for one in tokens if one.number)
        shares = np.arange(1, _BUCKETS) / _BUCKETS
        self._edges = {
            field: np.unique(np.quantile(numbers, shares))
            for field, numbers in values.items()
            if numbers
        }
        for features in items:
            for _, tokens in self._read(features):
                for token in tokens:
                    self._tokens.setdefault(self._name(token), len(self._tokens))

    @property
    def fields(self) -> int:
        """How many."""
        return len(self._fields)

    @property
    def tokens(self) -> int:
        """How many."""
        return len(self._tokens)

    def of(self, features: Features) -> list[Ints]:
        """The known tokens of each field, each once; none where the item has none."""
        found: list[Ints] = [ints([])] * len(self._fields)
        for field, tokens in self._read(features):
            number = self._fields.get(field)
            if number is not None:
                known = (self._tokens.get(self._name(token)) for token in tokens)
                found[number] = ints(dict.fromkeys(one for one in known if one is not None))
        return found

    def _read(self, features: Features) -> Iterable[tuple[str, list[Token]]]:
        for field, value in features.items():
            tokens = self._reader.read({field: value})
            if tokens:
                yield field, tokens

    def _name(self, token: Token) -> str:
        edges = self._edges.get(token.name)
        if not token.number or edges is None:
            return token.name
        return f"{token.name}#{np.searchsorted(edges, token.weight, side='right')}"

"""Numeric features: raw values in bags, which become embedding keys and weights when read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from towers.arrays import Bags, Floats, Ints, State, grown, ints, packed, unpacked
from towers.features import Token
from towers.moments import Moments
from towers.quantiles import Quantiles
from towers.table import EmbeddingTable

_SCALES: dict[str, type[Moments | Quantiles]] = {"standardised": Moments, "bucketed": Quantiles}


class _Feature(NamedTuple):
    kind: str
    keys: Ints
    """(offsets,): of the value as a weight the one, of buckets one each."""
    scale: Moments | Quantiles


class Numbers:
    """The numeric features of one side, by name; in a bag each is its first key.

    The raw value is kept with each use and read by what is known now, so that an early value is not
    stuck with the little that was known when it came.
    """

    def __init__(self, table: EmbeddingTable) -> None:
        self._table = table
        self._features: dict[str, _Feature] = {}
        self._by_key: dict[int, _Feature] = {}
        self._numeric: npt.NDArray[np.bool_] = np.zeros(1, np.bool_)  # by key; the last is none

    def observe(self, token: Token) -> int:
        """The key of a numeric token, whose value is taken into account."""
        feature = self._features.get(token.name)
        if feature is None:
            scale = _SCALES[token.number]()
            more = (f"{token.name}#{offset}" for offset in range(1, scale.OFFSETS))
            keys = ints(self._table.add(name) for name in (token.name, *more))
            feature = self._put(token.name, _Feature(token.number, keys, scale))
        feature.scale.observe(token.weight)
        return int(feature.keys[0])

    def read(self, bags: Bags) -> tuple[Ints, Floats]:
        """Keys and weights of the bags as of now."""
        weights = bags.weights.astype(np.float32)
        if not self._features:
            return bags.keys, weights
        keys = bags.keys.copy()
        places = np.flatnonzero(self._numeric[np.minimum(keys, len(self._numeric) - 1)])
        found = bags.keys[places]
        for key in np.unique(found).tolist():
            feature, own = self._by_key[key], places[found == key]
            offsets, weights[own] = feature.scale.read(bags.weights[own])
            keys[own] = feature.keys[offsets]
        return keys, weights

    def _put(self, name: str, feature: _Feature) -> _Feature:
        first = int(feature.keys[0])
        self._features[name] = self._by_key[first] = feature
        self._numeric = grown(self._numeric, first + 2)
        self._numeric[first] = True
        return feature

    def state(self) -> State:
        """For a checkpoint."""
        return {
            name: packed([feature.kind, feature.keys.tolist(), feature.scale.state()])
            for name, feature in self._features.items()
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._features, self._by_key = {}, {}
        self._numeric = np.zeros(1, np.bool_)
        for name, saved in state.items():
            kind, keys, values = unpacked(saved, tuple[str, list[int], list[float]])
            self._put(name, _Feature(kind, ints(keys), _SCALES[kind](values)))

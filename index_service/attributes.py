"""Attributes by column, so that a filter over a whole shard is a few array operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray
from schemas.events import FeatureValue
from schemas.recall import Condition, Range, Scalar

BoolArray = npt.NDArray[np.bool_]

_NONE: Mapping[str, FeatureValue] = {}


class AttributeTable:
    """The attributes of items, by slot."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}
        self._at: dict[int, Mapping[str, FeatureValue]] = {}

    def put(self, slot: int, attributes: Mapping[str, FeatureValue], capacity: int) -> None:
        """Replace all attributes of a slot; `capacity` is above every slot in use."""
        if _same(self._at.get(slot, _NONE), attributes):
            return  # nearly every time: vectors change much more often than attributes
        self.clear(slot)
        self._at[slot] = attributes
        for field, value in attributes.items():
            self._columns.setdefault(field, _Column()).put(slot, value, capacity)

    def clear(self, slot: int) -> None:
        """Drop all attributes of a slot."""
        for field, value in self._at.pop(slot, {}).items():
            column = self._columns[field]
            column.clear(slot, value)
            if column.empty:
                del self._columns[field]

    def at(self, slots: IntArray) -> list[Mapping[str, FeatureValue]]:
        """Those of each slot; nobody changes them."""
        return [self._at.get(slot, _NONE) for slot in slots.tolist()]

    def mask(self, conditions: Mapping[str, Condition], used: int) -> BoolArray:
        """(used,): which slots meet every condition. A field that no item has is met by none."""
        met = np.ones(used, dtype=np.bool_)
        for field, condition in conditions.items():
            column = self._columns.get(field)
            if column is None:
                return np.zeros(used, dtype=np.bool_)
            met &= column.mask(condition, used)
        return met

    def fields(self) -> set[str]:
        """Names that some item has."""
        return set(self._columns)


class _Column:
    """One attribute: each distinct value has a code, each slot the code of its value."""

    def __init__(self) -> None:
        self._codes = np.zeros(0, dtype=np.int32)  # by slot; 0 is no value
        self._numbers = np.zeros(0, dtype=np.float64)  # by slot; NaN is no number
        self._code_of: dict[Hashable, int] = {}
        self._holders: dict[Hashable, set[int]] = {}  # a list's value -> codes of lists with it
        self._slots_with: Counter[int] = Counter()  # by code
        self._free: list[int] = []

    @property
    def empty(self) -> bool:
        return not self._code_of

    def put(self, slot: int, value: FeatureValue, capacity: int) -> None:
        if len(self._codes) < capacity:
            missing = capacity - len(self._codes)
            self._codes = np.pad(self._codes, (0, missing))
            self._numbers = np.pad(self._numbers, (0, missing), constant_values=np.nan)
        key = _key(value)
        code = self._code_of.get(key)
        if code is None:
            code = self._free.pop() if self._free else len(self._code_of) + 1
            self._code_of[key] = code
            for part in _parts(value):
                self._holders.setdefault(part, set()).add(code)
        self._slots_with[code] += 1
        self._codes[slot] = code
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._numbers[slot] = _as_float(value)

    def clear(self, slot: int, value: FeatureValue) -> None:
        code = int(self._codes[slot])
        self._codes[slot] = 0
        self._numbers[slot] = np.nan
        self._slots_with[code] -= 1
        if not self._slots_with[code]:  # codes are used again: values may change without end
            del self._slots_with[code]
            del self._code_of[_key(value)]
            self._free.append(code)
            for part in _parts(value):
                self._holders[part].discard(code)
                if not self._holders[part]:
                    del self._holders[part]

    def mask(self, condition: Condition, used: int) -> BoolArray:
        codes, numbers = self._codes[:used], self._numbers[:used]
        if isinstance(condition, Range):
            met = _pad(_within(numbers, condition), used)
        else:
            allowed = self._codes_meeting(condition)
            # One code is the common case, and `==` beats `isin` there by far.
            hits = codes == allowed.pop() if len(allowed) == 1 else np.isin(codes, list(allowed))
            met = _pad(hits, used)
        return met

    def _codes_meeting(self, condition: Scalar | list[Scalar]) -> set[int]:
        codes: set[int] = set()
        for scalar in condition if isinstance(condition, list) else [condition]:
            key = _key(scalar)
            codes |= self._holders.get(key, set())
            if key in self._code_of:
                codes.add(self._code_of[key])
        return codes


def _same(one: Mapping[str, FeatureValue], other: Mapping[str, FeatureValue]) -> bool:
    """Equal to every filter: `==` alone takes True for 1."""
    return one == other and all(_key(one[field]) == _key(other[field]) for field in one)


def _key(value: FeatureValue) -> Hashable:
    """Equal for values that a filter takes for the same: 1 and 1.0, but not True, not "1"."""
    if isinstance(value, list):
        return ("list", tuple(value))
    if isinstance(value, bool):
        return ("bool", value)
    return ("text" if isinstance(value, str) else "number", value)


def _parts(value: FeatureValue) -> set[Hashable]:
    return {_key(part) for part in value} if isinstance(value, list) else set()


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond 1.8e308
        return float("inf") if value > 0 else float("-inf")


def _within(numbers: npt.NDArray[np.float64], bounds: Range) -> BoolArray:
    met: BoolArray = ~np.isnan(numbers)
    if bounds.gte is not None:
        met &= numbers >= bounds.gte
    if bounds.gt is not None:
        met &= numbers > bounds.gt
    if bounds.lte is not None:
        met &= numbers <= bounds.lte
    if bounds.lt is not None:
        met &= numbers < bounds.lt
    return met


def _pad(met: BoolArray, used: int) -> BoolArray:
    """To (used,): slots beyond the column never had a value."""
    return met if len(met) == used else np.pad(met, (0, used - len(met)))

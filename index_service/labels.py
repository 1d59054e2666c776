"""Numbers for keys, in engines that can't replace: each number is given out once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from index_service.slots import IntArray

_FIRST_CAPACITY = 1_024


class Labels:
    """Keys to labels and back. A replaced key gets a new label, so an old one says nothing.

    One thread at a time writes; any number ask for the keys of labels meanwhile.
    """

    def __init__(
        self, keys: Iterable[int] = (), labels: Iterable[int] = (), given: int = 0
    ) -> None:
        """`given`: labels ever given out, so the next one is this."""
        self._label_of = dict(zip(keys, labels, strict=True))
        self._key_of = np.full(max(given, _FIRST_CAPACITY), -1, dtype=np.intp)  # by label
        self._key_of[[*self._label_of.values()]] = [*self._label_of]
        self.given = given

    def __len__(self) -> int:
        return len(self._label_of)

    def assign(self, keys: IntArray) -> npt.NDArray[np.int64]:
        """New labels (len(keys),) of distinct keys, none of which is in."""
        labels = np.arange(self.given, self.given + len(keys), dtype=np.int64)
        missing = self.given + len(keys) - len(self._key_of)
        if missing > 0:
            more = max(missing, len(self._key_of))
            self._key_of = np.pad(self._key_of, (0, more), constant_values=-1)
        self._key_of[labels] = keys
        self._label_of.update(zip(keys.tolist(), labels.tolist(), strict=True))
        self.given += len(keys)
        return labels

    def drop(self, keys: Iterable[int]) -> list[int]:
        """Labels that those of the keys had that were in; they are no longer."""
        label_of = self._label_of
        dropped = [label_of.pop(each) for each in dict.fromkeys(keys) if each in label_of]
        self._key_of[dropped] = -1
        return dropped

    def keys_of(self, labels: npt.NDArray[np.int64]) -> IntArray:
        """The keys that have the labels now, -1 where none has."""
        return self._key_of[labels]

    def items(self) -> tuple[list[int], list[int]]:
        """All keys, and their labels."""
        return list(self._label_of), list(self._label_of.values())

"""Numbers for items, in engines that know no text: each number is given out once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


class Labels:
    """Item ids to labels and back. A replaced item gets a new label, so an old one says nothing."""

    def __init__(self, ids: Iterable[str] = (), labels: Iterable[int] = (), given: int = 0) -> None:
        """`given`: labels ever given out, so the next one is this."""
        self._label_of = dict(zip(ids, labels, strict=True))
        self._id_of = {label: item_id for item_id, label in self._label_of.items()}
        self.given = given

    def __len__(self) -> int:
        return len(self._label_of)

    def assign(self, ids: list[str]) -> npt.NDArray[np.int64]:
        """New labels (len(ids),) of distinct ids, none of which is in."""
        labels = range(self.given, self.given + len(ids))
        self._label_of.update(zip(ids, labels, strict=True))
        self._id_of.update(zip(labels, ids, strict=True))
        self.given += len(ids)
        return np.arange(labels.start, labels.stop, dtype=np.int64)

    def drop(self, ids: Iterable[str]) -> list[int]:
        """Labels that those of the ids had that were in; they are no longer."""
        dropped = [self._label_of.pop(each) for each in dict.fromkeys(ids) if each in self]
        for label in dropped:
            del self._id_of[label]
        return dropped

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._label_of

    def id_of(self, label: int) -> str | None:
        """The item that has the label now."""
        return self._id_of.get(label)

    def items(self) -> tuple[list[str], list[int]]:
        """All ids, and their labels."""
        return list(self._label_of), list(self._label_of.values())

"""Numbers for names, which can be given up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from towers.arrays import Ints

NOBODY = -1


class Names:
    """Names numbered from 0 in order of arrival; `keep` drops some and closes the gaps."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.all)

    def find(self, name: str) -> int | None:
        """The number of a known name."""
        return self._numbers.get(name)

    def add(self, name: str) -> int:
        """The number of a name, known or new."""
        number = self._numbers.setdefault(name, len(self.all))
        if number == len(self.all):
            self.all.append(name)
        return number

    def keep(self, kept: npt.NDArray[np.bool_]) -> Ints:
        """Drop the others; gives (names,) the new number of each old one, `NOBODY` if dropped.

        Order stays.
        """
        numbers: Ints = np.where(kept, np.cumsum(kept) - 1, NOBODY)
        self.all = [self.all[number] for number in np.flatnonzero(kept).tolist()]
        self._numbers = {name: number for number, name in enumerate(self.all)}
        return numbers

"""Which items a query may return."""

from __future__ import annotations

import numpy as np

from index_service.attributes import BoolArray
from index_service.item_table import ItemTable
from index_service.query import Query
from index_service.slots import IntArray


class Admission:
    """The items that are available, in the query's shards, meet its conditions and are not
    excluded, at one version.
    """

    def __init__(self, items: ItemTable, query: Query) -> None:
        used = items.slots.used
        self.version = items.version
        self._mask: BoolArray = items.servable[:used]  # a view, where all may be returned
        count = items.available
        if query.conditions:
            self._mask = self._mask & items.attributes.mask(query.conditions, used)
        if query.shards is not None:
            self._mask = self._mask & np.isin(items.shards, list(query.shards))
        if query.conditions or query.shards is not None:
            count = int(np.count_nonzero(self._mask))
        excluded = items.slots.slots_of(query.exclude)
        self.count = count - int(np.count_nonzero(self._mask[excluded]))
        """How many there are."""
        self._excluded: BoolArray | None = None
        if len(excluded):
            self._excluded = np.zeros(used, dtype=np.bool_)
            self._excluded[excluded] = True

    def meeting(self) -> IntArray:
        """Slots, going up, of all that are admitted or only excluded."""
        return np.flatnonzero(self._mask)

    def met_by(self, slots: IntArray) -> IntArray:
        """Those of the slots, in the same order."""
        return slots[self._mask[slots]]

    def admits(self, slots: IntArray) -> BoolArray:
        """Whether each of the slots is admitted."""
        met = self._mask[slots]
        return met if self._excluded is None else met & ~self._excluded[slots]

    def keep(self, slots: IntArray) -> IntArray:
        """Those of the slots that are admitted, in the same order."""
        return slots[self.admits(slots)]

    def slots(self) -> IntArray:
        """All that are admitted: slots going up."""
        return self.keep(self.meeting())

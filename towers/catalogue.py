"""The items by row: what the index serves beside the vector."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.events import FeatureValue, Item
from towers.arrays import Ints, State, array_of, grown, packed, tensor_of, unpacked


class Catalogue:
    """Ids, attributes and availability of items, by the row that the item tower gave them.

    A row is never given away again: a deleted item that returns finds what was learned of it.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._attributes: list[dict[str, FeatureValue]] = []
        self._alive: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._available: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._versions: Ints = np.zeros(0, np.int64)
        self._event_ts_ms: Ints = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, item_id: str) -> int | None:
        """The row of a known item, deleted or not."""
        return self._rows.get(item_id)

    def known_row(self, item_id: str) -> int:
        """The row of an item, deleted or not. Raises KeyError when it is unknown."""
        return self._rows[item_id]

    def discover(self, item_id: str) -> int:
        """The row of an item that is unknown: the next."""
        row = self._rows[item_id] = len(self.ids)
        self.ids.append(item_id)
        self._attributes.append({})
        for name in ("_alive", "_available", "_versions", "_event_ts_ms"):
            setattr(self, name, grown(getattr(self, name), row + 1))
        self._alive[row] = self._available[row] = True
        self._versions[row] = 1
        return row

    def describe(self, item: Item) -> int:
        """Take over what a record says of a discovered item, and return its row."""
        row = self._rows[item.item_id]
        changed = (
            not self._alive[row]
            or self._available[row] != item.available
            or self._attributes[row] != item.attributes
        )
        self._attributes[row] = item.attributes
        self._alive[row], self._available[row] = True, item.available
        self._versions[row] += changed
        self.touch(row, item.ts_ms)
        return row

    def delete(self, item_id: str) -> int | None:
        """Take a known item out; its row, or None when it was unknown or out already."""
        row = self._rows.get(item_id)
        if row is None or not self._alive[row]:
            return None
        self._alive[row] = False
        self._versions[row] += 1
        return row

    def touch(self, row: int, ts_ms: int) -> None:
        """The item came, or changed, at that time; what it is now is to be published."""
        self._event_ts_ms[row] = max(self._event_ts_ms[row], ts_ms)

    def told(self, row: int) -> None:
        """The item as it is now is published."""
        self._event_ts_ms[row] = 0

    @property
    def alive(self) -> npt.NDArray[np.bool_]:
        """(items,): not deleted."""
        return self._alive[: len(self.ids)]

    @property
    def servable(self) -> npt.NDArray[np.bool_]:
        """(items,): not deleted, and available."""
        return self.alive & self._available[: len(self.ids)]

    @property
    def versions(self) -> Ints:
        """(items,): grows whenever what the index must know, apart from learning, changes."""
        return self._versions[: len(self.ids)]

    def attributes(self, row: int) -> dict[str, FeatureValue]:
        """Filterable attributes."""
        return self._attributes[row]

    def available(self, row: int) -> bool:
        """As its record says; an item without a record is."""
        return bool(self._available[row])

    def event_ts_ms(self, row: int) -> int:
        """When the item came or changed last, if that is not published yet; else 0."""
        return int(self._event_ts_ms[row])

    def state(self) -> State:
        """For a checkpoint."""
        size = len(self.ids)
        return {
            "ids": packed(self.ids),
            "attributes": packed(self._attributes),
            "alive": tensor_of(self.alive),
            "available": tensor_of(self._available[:size]),
            "versions": tensor_of(self.versions),
            "event_ts_ms": tensor_of(self._event_ts_ms[:size]),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.ids = unpacked(state["ids"], list[str])
        self._rows = {item_id: row for row, item_id in enumerate(self.ids)}
        self._attributes = unpacked(state["attributes"], list[dict[str, FeatureValue]])
        self._alive, self._available = array_of(state["alive"]), array_of(state["available"])
        self._versions = array_of(state["versions"])
        self._event_ts_ms = array_of(state["event_ts_ms"])

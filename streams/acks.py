"""Acknowledging records strictly in offset order, each once all that came of it is safe; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Record:
    """One source record; final when nothing holds it any more."""

    __slots__ = ("_ack", "_holds", "_line")

    def __init__(self, line: AckLine, ack: Callable[[], None]) -> None:
        self._line = line
        self._ack = ack
        self._holds = 1  # whoever tracks it, until it has said what else holds it

    def hold(self, times: int = 1) -> None:
        """Something that came of the record is not yet safe."""
        self._holds += times

    def release(self, times: int = 1) -> None:
        """So many holds are over; at none, the record is final."""
        self._holds -= times
        if self._holds < 0:
            msg = "a record is released as often as it is held; this one was released more often"
            raise RuntimeError(msg)
        if self._holds == 0:
            self._line.settle()

    @property
    def final(self) -> bool:
        """Nothing holds it."""
        return self._holds == 0

    def acknowledge(self) -> None:
        """Tell the consumer that this record is done."""
        self._ack()


class AckLine:
    """The records of one partition in the order in which they came.

    Faust commits past a gap (acknowledging record 100 while 10 is held commits 101), so only the
    head of the line is ever acknowledged.
    """

    def __init__(self) -> None:
        self._records: deque[Record] = deque()

    def track(self, ack: Callable[[], None]) -> Record:
        """A new record at the end of the line, held once by the caller."""
        record = Record(self, ack)
        self._records.append(record)
        return record

    def settle(self) -> None:
        """Acknowledge from the head as far as records are final."""
        while self._records and self._records[0].final:
            self._records.popleft().acknowledge()

    def abandon(self) -> None:
        """Forget all records: the partition is no longer ours, and comes back from its commit."""
        self._records.clear()

    def __len__(self) -> int:
        return len(self._records)

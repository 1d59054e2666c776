"""What Faust tells of its commits and rebalances, in seconds."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any

import faust
from faust.types import TP, AppT, EventT, Message, StreamT
from faust.types.transports import ConsumerT
from prometheus_client import Metric

from streams.metrics import COMMIT_SECONDS, REBALANCE_SECONDS


class LabelTimes:
    """The histograms: of a process, while its apps come and go."""

    def __init__(self) -> None:
        self.commit_seconds = COMMIT_SECONDS.histogram()
        self.rebalance_seconds = REBALANCE_SECONDS.histogram()

    def collect(self) -> Iterable[Metric]:
        """A collector of Prometheus."""
        yield from self.commit_seconds.collect()
        yield from self.rebalance_seconds.collect()


class LabelSensor(faust.Monitor):
    """In place of Faust's monitor, whose exporter has other units, and which keeps a book of each
    record that nobody reads: what is counted of records, the labellers count.
    """

    def __init__(self, times: LabelTimes) -> None:
        super().__init__()
        self._times = times

    def on_message_in(self, tp: TP, offset: int, message: Message) -> None:
        """Nothing of a single record."""

    def on_stream_event_in(
        self, tp: TP, offset: int, stream: StreamT[Any], event: EventT[Any]
    ) -> None:
        """Nothing of a single record."""

    def on_stream_event_out(
        self,
        tp: TP,
        offset: int,
        stream: StreamT[Any],
        event: EventT[Any],
        state: dict[Any, Any] | None = None,
    ) -> None:
        """Nothing of a single record."""

    def on_message_out(self, tp: TP, offset: int, message: Message) -> None:
        """Nothing of a single record."""

    def on_commit_initiated(self, consumer: ConsumerT) -> float:
        """A commit begins; returns when."""
        return monotonic()

    def on_commit_completed(self, consumer: ConsumerT, state: float) -> None:
        """It is on the broker."""
        self._times.commit_seconds.observe(monotonic() - state)

    def on_rebalance_start(self, app: AppT) -> dict[str, float]:
        """Partitions are given up; returns when."""
        return {"began_s": monotonic()}

    def on_rebalance_return(self, app: AppT, state: dict[str, float]) -> None:
        """The group has agreed; what was assigned is not read yet."""

    def on_rebalance_end(self, app: AppT, state: dict[str, float]) -> None:
        """The new partitions are being read."""
        self._times.rebalance_seconds.observe(monotonic() - state["began_s"])

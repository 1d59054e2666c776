"""Faust on aiokafka, with a way back to the beginning where nothing has been committed yet."""

from __future__ import annotations

from collections.abc import Mapping

from faust.transport.drivers import aiokafka as driver
from faust.types import TP


class _Thread(driver.AIOKafkaConsumerThread):
    async def seek_to_committed(self) -> Mapping[TP, int]:
        return await self.call_thread(self._seek)  # type: ignore[no-any-return]

    async def _seek(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        committed: dict[TP, int] = await consumer.seek_to_committed()
        unread = [partition for partition, offset in committed.items() if not offset]
        if unread:
            await consumer.seek_to_beginning(*unread)
        return committed


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class SeekingTransport(driver.Transport):
    """A transport whose consumer reads everything from the committed offsets on after a rebalance.

    Faust drops what it has fetched when partitions move, and goes back to the committed offsets.
    aiokafka's `seek_to_committed` leaves a partition alone of which none, or offset 0, has been
    committed, so that what was fetched of it would never be read, and the next commit would pass
    over it.
    """

    Consumer = _Consumer

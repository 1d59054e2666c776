"""One client's connection, relayed over a broker connection of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ops.embedded.arrivals import Arrivals
from ops.embedded.counts import Counts
from ops.embedded.exchange import Exchange
from ops.embedded.frames import FrameCutter
from ops.embedded.ports import HOST
from ops.embedded.rewriting import Rewriter
from schemas.errors import DecodeError

_LOG = logging.getLogger(__name__)


class _End(asyncio.Protocol):
    """One of the two ends; reads no faster than the other writes."""

    def __init__(
        self,
        opened: Callable[[asyncio.Transport], None],
        receive: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> None:
        self._opened, self._receive, self._lost = opened, receive, lost
        self._cutter = FrameCutter()
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._opened(transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._cutter.feed(data):
                self._receive(frame)
        except DecodeError as error:
            _LOG.warning("closed a connection: %s", error)
            self.close()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()

    def send(self, frame: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(frame)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Relay:
    """Joins a client to the broker until one of them goes; then the other goes too."""

    def __init__(
        self, broker_port: int, arrivals: Arrivals, rewriter: Rewriter, counts: Counts
    ) -> None:
        loop = asyncio.get_running_loop()
        self._broker_port = broker_port
        self.client = _End(self._connect, self._from_client, self.close)
        self._broker = _End(self._connected, self._from_broker, self.close)
        self.client.other, self._broker.other = self._broker, self.client
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False
        self._exchange = Exchange(
            to_broker=self._broker.send,
            to_client=self.client.send,
            arrivals=arrivals,
            rewriter=rewriter,
            counts=counts,
            now_s=loop.time,
            later=loop.call_later,
        )

    @property
    def is_closed(self) -> bool:
        """Whether both ends were told to go."""
        return self._closed

    def close(self) -> None:
        """Close both ends, after what was written."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        self._exchange.close()
        self.client.close()
        self._broker.close()

    def _connect(self, client: asyncio.Transport) -> None:
        client.pause_reading()
        self._connecting = asyncio.get_running_loop().create_task(self._reach_broker())

    async def _reach_broker(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._broker, HOST, self._broker_port)
        except OSError as error:
            _LOG.warning("closed a connection: the broker takes none (%s)", error)
            self.close()

    def _connected(self, broker: asyncio.Transport) -> None:
        if self._closed:
            broker.close()
        elif self.client.transport is not None:
            self.client.transport.resume_reading()

    def _from_client(self, frame: bytes) -> None:
        self._exchange.ask(frame)

    def _from_broker(self, frame: bytes) -> None:
        self._exchange.answer(frame)

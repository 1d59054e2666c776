"""The front: a Kafka address at which a fetch waits for records."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from ops.embedded.arrivals import Arrivals
from ops.embedded.counts import Counts
from ops.embedded.ports import HOST
from ops.embedded.relay import Relay
from ops.embedded.rewriting import Rewriter


class Front:
    """Listens for Kafka clients and relays them to a broker that answers every fetch at once.

    An asynchronous context manager; at its end every connection is closed.
    """

    def __init__(self, port: int, broker_port: int) -> None:
        self.counts = Counts()
        self._port, self._broker_port = port, broker_port
        self._arrivals = Arrivals()
        self._rewriter = Rewriter(broker_port, port)
        self._relays: list[Relay] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, HOST, self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for relay in self._relays:
            relay.close()
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self) -> asyncio.Protocol:
        self._relays = [relay for relay in self._relays if not relay.is_closed]
        relay = Relay(self._broker_port, self._arrivals, self._rewriter, self.counts)
        self._relays.append(relay)
        return relay.client

"""noida-db as a child of the front."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ops.children import die_with_parent
from ops.embedded.commands import noida_command
from ops.embedded.ports import accepts_connections
from schemas.errors import ChildDied

_GRACE_S = 3.0
_POLL_S = 0.02


class Noida:
    """A running noida-db, whose words go where ours go."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.ended = asyncio.ensure_future(process.wait())
        """Done when it is no longer running."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ChildDied when it is no longer running."""
        if self.ended.done():
            code = self.ended.result()
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            msg = f"noida-db runs as long as the broker; it ended by itself with {how}"
            raise ChildDied(msg)

    async def listening(self, ports: tuple[int, ...], stopped: Callable[[], bool]) -> None:
        """Return when it takes connections on all ports, or when told to stop.

        Raises ChildDied.
        """
        while not (stopped() or all(accepts_connections(port) for port in ports)):
            self.check()
            await asyncio.sleep(_POLL_S)
        self.check()

    async def stop(self) -> None:
        """End it and wait until it has ended."""
        if not self.ended.done():
            self._process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(self.ended), _GRACE_S)
        except TimeoutError:
            self._process.kill()
            await self.ended


@asynccontextmanager
async def running_noida(data_dir: Path, kafka_port: int, redis_port: int) -> AsyncIterator[Noida]:
    """noida-db for the time of the block; it also ends when we are killed."""
    process = await asyncio.create_subprocess_exec(
        *noida_command(data_dir, kafka_port, redis_port),
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    noida = Noida(process)
    try:
        yield noida
    finally:
        await noida.stop()

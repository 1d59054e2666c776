"""Runs the dashboard: the looks in threads, the page on an event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

import msgspec
from aiohttp import web

from ops.dashboard.collector import Collector
from ops.dashboard.history import History
from ops.dashboard.hub import Hub
from ops.dashboard.kafka_watch import KafkaWatch
from ops.dashboard.server import make_app
from ops.dashboard.snapshot import Snapshot
from ops.role_status import read_statuses
from schemas.clock import wall_ms
from schemas.errors import EnvironmentProblem
from schemas.settings import Settings

_SHUTDOWN_S = 1.0


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `say` gets the address. Raises EnvironmentProblem.

    Kafka and Redis need not be there: the page says so, and goes on looking.
    """
    asyncio.run(_serve(settings, host, port, say))


async def _serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for which in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(which, stopping.set)
    hub, history = Hub(loop), History()

    def publish(snapshot: Snapshot) -> None:
        history.add(snapshot.at_ms, snapshot.point)
        hub.publish(msgspec.json.encode(snapshot))

    runner = web.AppRunner(make_app(hub, history, host), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port, shutdown_timeout=_SHUTDOWN_S)
    try:
        try:
            await site.start()
        except OSError as error:
            msg = f"the dashboard needs a free port; {host}:{port}: {error.strerror}; "
            raise EnvironmentProblem(msg + "name another: --port, or 0 for any") from error
        # Kafka's clients take a while to begin: the page is there before.
        watch = KafkaWatch(settings, wall_ms)
        collector = Collector(
            settings.namespace, lambda: read_statuses(settings), watch, publish, wall_ms
        )
        looking = threading.Thread(target=collector.run, name="collector", daemon=True)
        looking.start()
        say(_url(runner))
        await stopping.wait()
        collector.close()
        await asyncio.to_thread(watch.close)
        await asyncio.to_thread(looking.join, 5)
    finally:
        await runner.cleanup()


def _url(runner: web.AppRunner) -> str:
    host, port, *_ = runner.addresses[0]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

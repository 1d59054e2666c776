"""The embedded broker as a process: noida-db, and the front before its Kafka."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from ops.embedded.front import Front
from ops.embedded.noida import running_noida
from ops.embedded.ports import choose_port
from schemas.errors import EnvironmentProblem, PenstockError


async def serve(data_dir: Path, kafka_port: int, redis_port: int) -> None:
    """Serve Kafka and Redis until SIGTERM or SIGINT; listens for Kafka when both answer.

    Raises ChildDied when noida-db ends, EnvironmentProblem when the Kafka port is taken.
    """
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    broker_port = choose_port(0, "noida-db", "--kafka-port")
    async with running_noida(data_dir, broker_port, redis_port) as noida:
        await noida.listening((broker_port, redis_port), told.is_set)
        try:
            async with Front(kafka_port, broker_port):
                end = asyncio.ensure_future(told.wait())
                await asyncio.wait({end, noida.ended}, return_when=asyncio.FIRST_COMPLETED)
                end.cancel()
        except OSError as error:
            msg = f"the front needs port {kafka_port}; {error.strerror}; give another"
            raise EnvironmentProblem(msg) from error
        if not told.is_set():
            noida.check()


def main() -> int:
    """The exit code: 0 when told to end, 1 with one line on stderr after an error."""
    parser = argparse.ArgumentParser(prog="python -m ops.embedded.serve", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--kafka-port", type=int, required=True)
    parser.add_argument("--redis-port", type=int, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        asyncio.run(serve(given.data_dir, given.kafka_port, given.redis_port))
    except PenstockError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

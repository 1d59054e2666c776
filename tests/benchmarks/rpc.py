"""Recall over Kafka beside a bare echo over the same broker, by the same client."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from index_service import RecallClient
from schemas.recall import RecallReply, RecallRequest
from schemas.settings import Settings, load_settings
from tests.benchmarks.brokers import own_broker
from tests.benchmarks.recall_world import running
from tests.benchmarks.rounds import Figures, Row, compare, parser, show
from tests.support.polling import eventually

_TIMEOUT_S = 10.0


class Load(NamedTuple):
    """The calls of one round."""

    in_flight: int
    calls: int


class Size(NamedTuple):
    """How much is asked."""

    items: int = 100_000
    users: int = 200
    k: int = 100
    updates_per_s: float = 200
    loads: tuple[Load, ...] = (Load(1, 200), Load(32, 800))


class Answers(NamedTuple):
    """What came of some calls."""

    replies: list[RecallReply]
    latencies_ms: list[float]
    took_s: float

    def figures(self) -> Figures:
        """The rate, and percentiles that interpolate between neighbours."""
        cuts = statistics.quantiles(self.latencies_ms, n=100, method="inclusive")
        return Figures(len(self.replies) / self.took_s, cuts[49], cuts[98])


def ask(client: RecallClient, load: Load, users: int, k: int = 10) -> Answers:
    """Ask for the users in turn, with so many calls under way."""
    in_flight, calls = load
    latencies_ms: list[float] = []
    replies: list[RecallReply] = []
    under_way: deque[Future[RecallReply]] = deque()
    started_s = time.perf_counter()
    for number in range(calls):
        if len(under_way) == in_flight:
            replies.append(under_way.popleft().result(_TIMEOUT_S))
        sent_s = time.perf_counter()
        call = client.submit(RecallRequest(k=k, user_id=f"u{number % users}"), _TIMEOUT_S)
        call.add_done_callback(_noting(sent_s, latencies_ms))
        under_way.append(call)
    replies += [call.result(_TIMEOUT_S) for call in under_way]
    took_s = time.perf_counter() - started_s
    # A future wakes who waits for it before it calls back.
    eventually(lambda: len(latencies_ms), lambda noted: noted == calls, "each call is timed")
    return Answers(replies, latencies_ms, took_s)


def _noting(sent_s: float, latencies_ms: list[float]) -> Callable[[Future[RecallReply]], None]:
    return lambda _: latencies_ms.append(1e3 * (time.perf_counter() - sent_s))


def measure(
    settings: Settings, folder: Path, size: Size, rounds: int, external: bool = False
) -> list[Row]:
    """Both, at each number in flight. Raises RecallTimeout when a call is not answered."""
    with ExitStack() as closing:
        if not external:
            settings, _ = closing.enter_context(own_broker(settings, folder))
        world = running(settings, folder, size.items, size.users, size.k, size.updates_per_s)
        callers = closing.enter_context(world)

        def asked(client: RecallClient, load: Load) -> Callable[[], Figures]:
            return lambda: ask(client, load, size.users, size.k).figures()

        rows: list[Row] = []
        for load in size.loads:
            contenders = {"echo": asked(callers.echo, load), "recall": asked(callers.recall, load)}
            for run in contenders.values():
                run()  # connections and caches
            rows += compare(f"{load.in_flight} in flight", contenders, rounds)
        return rows


def main() -> None:
    options = parser("rpc", __doc__, rounds=5)
    options.add_argument(
        "--external", action="store_true", help="use the Kafka and Redis of the settings"
    )
    size = Size()
    for name in ("items", "k"):
        default = getattr(size, name)
        options.add_argument(f"--{name}", type=int, default=default, help="default: %(default)s")
    given = options.parse_args()
    size = size._replace(items=given.items, k=given.k)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(load_settings(), Path(folder), size, given.rounds, given.external)
    show(rows, unit="calls", as_json=given.json)


if __name__ == "__main__":
    main()

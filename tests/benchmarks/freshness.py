"""How soon a click is in its user's vector and list, and a new item in the index, under load."""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from kafka import KafkaProducer
from rich.table import Table

from index_service import RecallClient
from ops.children import stop_children
from ops.console import err, out, print_json
from ops.demo.world import World
from ops.role_status import connect
from ops.stack import Stack
from schemas.settings import EmbeddedSettings, LabellingSettings, Settings, load_settings
from streams import EventProducer
from tests.benchmarks import bare_chain
from tests.benchmarks.brokers import own_broker
from tests.benchmarks.fresh_probes import Probes, Times
from tests.benchmarks.visitors import Visitors

_GRACE_S = 10.0
_WINDOW_MS = 10_000
"""Short, so that negatives come during the run, at the rate of the exposures."""


class Size(NamedTuple):
    """How long, under how much, over how many."""

    seconds: float = 40.0
    warm_s: float = 12.0
    events_per_s: float = 1_000.0
    items: int = 5_000
    users: int = 500
    probe_users: int = 50


class Row(msgspec.Struct, frozen=True):
    """One way from its beginning to its end, in milliseconds as seen from outside."""

    case: str
    p50_ms: float | None
    """None where no probe had its effect."""
    p99_ms: float | None
    probes: int
    unseen: int
    """Probes whose effect did not come within 5 s."""
    goal_p50_ms: float | None = None
    goal_p99_ms: float | None = None


def measure(settings: Settings, folder: Path, size: Size) -> tuple[list[Row], dict[str, float]]:
    """A row for each way, and what else there is to know of the run."""
    settings = settings.model_copy(
        update={
            "namespace": f"fresh-{uuid.uuid4().hex[:8]}",
            "embedded": EmbeddedSettings(data_dir=folder),
            "labelling": LabellingSettings(window_ms=_WINDOW_MS, lateness_ms=1_000),
            "trainer": settings.trainer.model_copy(
                update={"checkpoint_dir": folder / "checkpoints"}
            ),
        }
    )
    world = World(0, size.users, size.items, time.time_ns() // 1_000_000)
    with ExitStack() as closing:
        stack = closing.enter_context(Stack(settings, external=True))
        floor = closing.enter_context(_floor(settings, folder))
        client = closing.enter_context(RecallClient(settings))
        producer = closing.enter_context(EventProducer(settings))
        redis = closing.enter_context(connect(settings.redis))
        for item in list(world.items.values()):
            producer.put_item(item)
        producer.flush()
        visitors = Visitors(world, world.users[size.probe_users :], producer, size.events_per_s)
        probed = world.users[: size.probe_users]
        probes = Probes(settings, world, probed, client, producer, redis, floor)
        visitors.start()
        closing.callback(visitors.stop)
        probes.run(size.warm_s, stack.check)
        probes.forget()
        published, began_s = visitors.events, time.monotonic()
        probes.run(size.seconds, stack.check)
        rate = (visitors.events - published) / (time.monotonic() - began_s)
    return _rows(probes), {
        "events_per_s": round(rate, 1),
        "others_replaced": round(probes.others_replaced, 3),
    }


@contextmanager
def _floor(settings: Settings, folder: Path) -> Iterator[KafkaProducer]:
    """The bare chain beside the real one; what publishes to it."""
    bare_chain.create_floor_topics(settings)
    processes = bare_chain.chain(settings, folder / "logs")
    producer = KafkaProducer(**settings.kafka.client_options(), linger_ms=0, acks=1)
    try:
        yield producer
    finally:
        producer.close()
        stop_children(processes, _GRACE_S)


def _rows(probes: Probes) -> list[Row]:
    def row(case: str, times: Times, *goals: float) -> Row:
        p50, p99 = times.percentiles()
        return Row(case, p50, p99, len(times.ms), times.unseen, *goals)

    return [
        row("bare chain: click to Redis", probes.floor),
        row("click to user vector", probes.to_vector, 20, 100),
        row("click to changed recall", probes.to_recall, 30, 150),
        row("event to searchable item", probes.to_searchable, 100, 500),
        row("recall", probes.recall),
    ]


def main() -> None:
    given = _options().parse_args()
    size = Size(given.seconds, events_per_s=given.events)
    with tempfile.TemporaryDirectory() as name, ExitStack() as closing:
        folder = Path(name)
        settings = load_settings()
        broker = "the settings' own"
        if not given.external:
            settings, broker = closing.enter_context(own_broker(settings, folder))
        rows, facts = measure(settings, folder, size)
    if given.json:
        print_json({"broker": broker, **facts, "rows": msgspec.to_builtins(rows)})
        return
    err.print(f"on {broker}, {facts['events_per_s']:,.0f} events/s")
    table = Table("", "p50 ms", "p99 ms", "probes", "unseen", "goal p50", "goal p99")
    for row in rows:
        times = (row.p50_ms, row.p99_ms, row.probes, row.unseen, row.goal_p50_ms, row.goal_p99_ms)
        table.add_row(row.case, *("" if value is None else f"{value:g}" for value in times))
    out.print(table)
    share = facts["others_replaced"]
    out.print(f"Of the items beside the clicked one, {share:.0%} are new in the changed list.")


def _options() -> argparse.ArgumentParser:
    size = Size()
    made = argparse.ArgumentParser(
        prog="penstock bench freshness",
        description=__doc__,
        epilog="Runs on Apache Kafka where KAFKA_HOME names one, else on the embedded broker.",
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--seconds", type=float, default=size.seconds, help="default: %(default)s")
    made.add_argument(
        "--events", type=float, default=size.events_per_s, help="a second; default: %(default)s"
    )
    made.add_argument(
        "--external", action="store_true", help="use the Kafka and Redis of the settings"
    )
    return made


if __name__ == "__main__":
    main()

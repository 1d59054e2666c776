"""Labelling: events a second in memory, through Kafka and Faust, and by other frameworks.

In memory, on one thread: decoding alone; each path's pure core alone, on decoded events; decode,
core and encode together. Ratios are to decoding alone.

Through a real Kafka (`KAFKA_HOME`): each path as its own process, `penstock run label-...`, which
recovers as always, and the peers on the same job, each in a virtual environment of its own: join
exposures and clicks by (request, item) within a window and write a label for each exposure to a
topic. One partition, one process each, fresh topics for each run. The events are published while
the process, which is up and has labelled a probe, is stopped; timed is from its going on to the
time at which the broker appended its last label. All labels are then read and compared with the
right ones, and a difference is told. Ratios are to label-negatives, which does the peers' join;
peers send positives and negatives alike.

The window is a quarter of the stream, so that a quarter of the exposures is pending at any time.
The peers read and write JSON, as their users do; where a peer is slow its stream is shorter.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from pydantic import SecretStr

from ops.console import err
from schemas.codec import encode
from schemas.errors import ChildDied, EnvironmentProblem
from schemas.events import EXPOSURE, Event
from schemas.settings import EmbeddedSettings, KafkaSettings, RedisSettings, Settings, TopicSettings
from tests.benchmarks import label_cores
from tests.benchmarks.label_brokered import Backlog, Contestant, Entry, run
from tests.benchmarks.label_contestants import (
    BYTEWAX,
    FAUST_TABLE,
    QUIX_STREAMS,
    Peer,
    peer,
    python_of,
    role,
)
from tests.benchmarks.label_stream import Stream, expected, records_of, single, stream
from tests.benchmarks.rounds import Figures, Row, compare, parser, show
from tests.support.servers import KAFKA_HOME, REDIS_SERVER, KafkaServer, running_redis

RECORD_SIZES = (1, 200, 1_000)
CASES = ("memory", "kafka", "peers")
LabelRoleName = Literal["label-positives", "label-negatives"]
LABEL_ROLES: tuple[LabelRoleName, ...] = ("label-negatives", "label-positives")


class Size(NamedTuple):
    """How many exposures are labelled; clicks come on top."""

    memory: int = 40_000
    single: int = 60_000
    """Through Kafka, one event a record."""
    arrays: int = 1_000_000
    """Through Kafka, many events a record."""
    slow: int = 15_000
    """By a peer that writes every change of its state to Kafka."""


FULL = Size()
QUICK = Size(20_000, 15_000, 200_000, 4_000)


class Kafka(NamedTuple):
    """Where the processes run."""

    settings: Settings
    folder: Path


def main() -> None:
    options = parser("labelling", __doc__, rounds=3)
    options.add_argument(
        "--cases",
        default=",".join(CASES),
        help="which of memory, kafka and peers, with commas between; default: all",
    )
    options.add_argument("--quick", action="store_true", help="one round of shorter streams")
    given = options.parse_args()
    cases = given.cases.split(",")
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        options.error(f"--cases are of {', '.join(CASES)}; got {', '.join(unknown)}")
    size, rounds = (QUICK, 1) if given.quick else (FULL, given.rounds)
    show(measure(cases, size, rounds), unit="events", as_json=given.json)


def measure(cases: Sequence[str], size: Size, rounds: int) -> list[Row]:
    """The rows of these cases; tells of those that this machine cannot run."""
    rows: list[Row] = []
    if "memory" in cases:
        events = stream(size.memory)
        for records in RECORD_SIZES:
            _say(f"memory, {records:,} a record")
            contenders = label_cores.contenders(events, records)
            rows += compare(f"memory, {records:,} a record", contenders, rounds)
    brokered = [case for case in ("kafka", "peers") if case in cases]
    if brokered and KAFKA_HOME is None:
        _say(
            f"left out: {' and '.join(brokered)}, for KAFKA_HOME is not set; "
            "let it name an unpacked Apache Kafka"
        )
    elif brokered:
        with running_kafka() as kafka:
            rows += _measure_brokered(brokered, kafka, size, rounds)
    return rows


def _measure_brokered(cases: Sequence[str], kafka: Kafka, size: Size, rounds: int) -> list[Row]:
    rows: list[Row] = []
    peers = _ready_peers() if "peers" in cases else {}
    for records in RECORD_SIZES:
        exposures = size.single if records == 1 else size.arrays
        contenders: dict[str, Callable[[], Figures]] = {
            name: partial(run_role, kafka, name, exposures, records) for name in LABEL_ROLES
        }
        # What gives an array its speed are fewer Kafka records, and only Bytewax gains by them.
        for of, python in peers.items():
            if records == 1 or (records == RECORD_SIZES[-1] and of is BYTEWAX):
                shown = size.slow if of is FAUST_TABLE else exposures
                contenders[of.title] = partial(_run_peer, kafka, of, python, shown, records)
        if "kafka" in cases or len(contenders) > len(LABEL_ROLES):
            rows += compare(f"kafka, {records:,} a record", contenders, rounds)
    return rows


def run_role(kafka: Kafka, name: LabelRoleName, exposures: int, size: int) -> Figures:
    """One run of `penstock run NAME`."""
    given = _stream(exposures)
    settings = kafka.settings.model_copy(
        update={"namespace": f"bench-{uuid.uuid4().hex[:8]}", "labelling": given.rules}
    )
    contestant = role(settings, name, kafka.folder)
    return _run(f"{name}, {size:,} a record", kafka, contestant, _backlog(exposures, size, name))


def _run_peer(kafka: Kafka, of: Peer, python: Path, exposures: int, size: int) -> Figures:
    servers = kafka.settings.kafka.bootstrap_servers
    contestant = peer(of, python, servers, _stream(exposures).rules, kafka.folder)
    backlog = _peer_backlog(exposures, size)
    return _run(f"{of.title}, {size:,} a record", kafka, contestant, backlog)


def _run(what: str, kafka: Kafka, contestant: Contestant, backlog: Backlog) -> Figures:
    started_s = time.monotonic()
    try:
        figures = run(kafka.settings, contestant, backlog)
    except ChildDied as error:
        figures = Figures(0.0, note=str(error))
    took_s = time.monotonic() - started_s
    note = f"; {figures.note}" if figures.note else ""
    _say(f"{what}: {figures.per_s:,.0f} events/s{note} ({took_s:.0f} s with its start)")
    return figures


@cache
def _stream(exposures: int) -> Stream:
    return stream(exposures)


@cache
def _backlog(exposures: int, size: int, name: LabelRoleName) -> Backlog:
    """What a role is given: MessagePack between two views, which settle and have no label."""
    given = _stream(exposures)
    positive = name == "label-positives"
    return Backlog(
        [
            (None, encode(single(EXPOSURE, given.before_ms[0]))),
            (None, encode(single("view", given.before_ms[1]))),
        ],
        [
            *((None, value) for value in records_of(given.events, size)),
            (None, encode(single("view", given.after_ms))),
        ],
        len(given.events),
        expected(given.events, positives=positive, negatives=not positive),
    )


@cache
def _peer_backlog(exposures: int, size: int) -> Backlog:
    """What a peer is given: JSON between exposures, at the end one of each user.

    The first probe's label comes before the backlog, the last exposures' never.
    """
    given = _stream(exposures)
    first, second = (single(EXPOSURE, at_ms) for at_ms in given.before_ms)
    users = sorted({event.user_id for event in (second, *given.events)})
    last = [single(EXPOSURE, given.after_ms, user) for user in users]
    events = [*given.events, *last]

    def entries(of: list[Event], size: int) -> list[Entry]:
        keys = [event.user_id.encode() for event in of[::size]]
        return [*zip(keys, records_of(of, size, msgspec.json.encode), strict=True)]

    return Backlog(
        entries([first, second], 1),
        entries(events, size),
        len(events),
        expected([second, *given.events], positives=True, negatives=True),
    )


def _ready_peers() -> dict[Peer, Path]:
    ready = {}
    for of in (FAUST_TABLE, QUIX_STREAMS, BYTEWAX):
        try:
            ready[of] = python_of(of, _say)
        except EnvironmentProblem as error:
            _say(f"left out: {error}")
    return ready


@contextmanager
def running_kafka() -> Iterator[Kafka]:
    """A Kafka and, where it is installed, a Redis, for the roles' statuses."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        server = KafkaServer(folder / "kafka")
        server.start()
        closing.callback(server.stop)
        settings = Settings(
            kafka=KafkaSettings(bootstrap_servers=server.bootstrap_servers),
            topics=TopicSettings(partitions=1, shards=1),
            embedded=EmbeddedSettings(data_dir=folder),
        )
        if REDIS_SERVER is not None:
            url = closing.enter_context(running_redis(folder / "redis"))
            settings = settings.model_copy(update={"redis": RedisSettings(url=SecretStr(url))})
        yield Kafka(settings, folder)


def _say(line: str) -> None:
    err.print(line)


if __name__ == "__main__":
    main()

"""Makes a snapshot a second of all that is to be seen; one collector serves every viewer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ops.dashboard.chain import Known, chain_of, readings_of
from ops.dashboard.instances import Instances
from ops.dashboard.kafka_watch import KafkaLook
from ops.dashboard.rates import Rates
from ops.dashboard.snapshot import Health, Snapshot, Stage, worst_of
from ops.lag import LagRow
from schemas.errors import RedisUnavailable
from schemas.status import ROLES, Role, RoleStatus

log = logging.getLogger(__name__)

_PERIOD_S = 1.0
_STALE_S = 10.0
_TIMES = "_ms"
_COUNTERS: dict[Role, tuple[str, ...]] = {
    "label-positives": ("events", "positive", "signal"),
    "label-negatives": ("exposure_negative",),
    "trainer": ("positives", "signals", "negatives", "step", "redis_errors"),
    "index": ("recalls", "errors"),
}
"""Whose rates are shown; one that a role has not begun to count is 0."""
_LARGEST = (
    "recall_at_10",
    "recall_at_50",
    "loss",
    "dead_share",
    "drift_max",
    "checkpoint_age_s",
    "step",
)
"""Of several processes the largest counts; other figures are summed."""


class Kafka(Protocol):
    """Where Kafka's side comes from."""

    @property
    def latest(self) -> KafkaLook:
        """What was seen last."""


class Collector:
    """Reads the roles' statuses each second, joins them with what Kafka says, and publishes."""

    def __init__(
        self,
        namespace: str,
        read_statuses: Callable[[], list[RoleStatus]],
        kafka: Kafka,
        publish: Callable[[Snapshot], None],
        now_ms: Callable[[], int],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = f"{namespace}."
        self._read_statuses = read_statuses
        self._kafka = kafka
        self._publish = publish
        self._now_ms, self._now_s = now_ms, now_s
        self._instances = Instances()
        self._rates = Rates()
        self._redis_failing = False
        self._closing = threading.Event()

    def run(self) -> None:
        """Publish a snapshot a second until `close`."""
        while not self._closing.is_set():
            started_s = time.monotonic()
            try:
                self._publish(self.look())
            except Exception:  # a bug must not leave the page with old news that look new
                log.exception("collector=failed action=next_second")
            self._closing.wait(max(0.1, _PERIOD_S - (time.monotonic() - started_s)))

    def close(self) -> None:
        """Ask `run` to return."""
        self._closing.set()

    def look(self) -> Snapshot:
        """One snapshot."""
        statuses = self._statuses()
        now_s, kafka = self._now_s(), self._kafka.latest
        error = kafka.error
        if not error and now_s - kafka.at_s > _STALE_S:
            error = f"Kafka has not answered for {now_s - kafka.at_s:.0f} s"
        self._instances.update(statuses, now_s)
        live = [status for role in ROLES for status in self._instances.live(role, now_s)]
        self._rates.update([*_counters(live), *self._topic_ends(kafka.lag)], now_s)
        known = Known(
            instances=self._instances,
            rates=self._rates,
            figures=_figures(live),
            readings=readings_of(kafka.lag),
            kafka_error=error,
            now_s=now_s,
        )
        stages, rows = chain_of(known), self._instances.rows(now_s)
        problems = list(_problems(stages, error, statuses is None))
        health = _overall(stages, error, statuses is None)
        return Snapshot(
            at_ms=self._now_ms(),
            health=health,
            headline=_headline(health, problems, bool(live)),
            problems=problems,
            stages=stages,
            instances=rows,
            readings=[] if error else known.readings,
            letters=kafka.letters,
            point=_point(known),
        )

    def _statuses(self) -> list[RoleStatus] | None:
        try:
            statuses = self._read_statuses()
        except RedisUnavailable as error:
            if not self._redis_failing:
                log.warning("redis=unreachable error=%r action=retrying", str(error))
            self._redis_failing = True
            return None
        self._redis_failing = False
        return statuses

    def _topic_ends(self, rows: list[LagRow]) -> Iterator[tuple[str, str, float]]:
        """Ends of topics as counters: what is written to them, whoever reads."""
        # Some topics have several readers, whose rows come one after the other.
        for (topic, partition), end in {
            (row.topic, row.partition): row.end for row in rows
        }.items():
            yield f"{topic}/{partition}", f"topic.{topic.removeprefix(self._prefix)}", end


def _counters(live: list[RoleStatus]) -> Iterator[tuple[str, str, float]]:
    for status in live:
        for name in _COUNTERS[status.role]:
            yield status.instance, f"{status.role}.{name}", status.figures.get(name, 0.0)


def _figures(live: list[RoleStatus]) -> dict[tuple[Role, str], float]:
    figures: dict[tuple[Role, str], float] = {}
    for status in live:
        if not status.ready and status.role == "trainer":
            continue  # a standby knows nothing yet
        for name, value in status.figures.items():
            key = (status.role, name)
            if name.endswith(_TIMES) or name in _LARGEST:
                figures[key] = max(value, figures.get(key, value))
            else:
                figures[key] = figures.get(key, 0.0) + value
    return figures


def _point(known: Known) -> dict[str, float | None]:
    """The charts' newest point. What nothing was measured of since is a gap, not the old value."""
    rates, figures = known.rates, known.figures

    def while_flowing(rate: str, role: Role, figure: str) -> float | None:
        return figures.get((role, figure)) if rates.increment(rate, 10.0) else None

    clicks, search, recall = "trainer.positives", "topic.item-vectors", "index.recalls"
    times: tuple[tuple[str, str, Role], ...] = (
        ("click_to_user_vector", clicks, "trainer"),
        ("event_to_searchable", search, "index"),
        ("recall", recall, "index"),
    )
    point = {
        f"{name}_{percent}_ms": while_flowing(rate, role, f"{name}_{percent}_ms")
        for name, rate, role in times
        for percent in ("p50", "p99")
    }
    shown = rates.increment("label-positives.events") or 0.0
    taken = rates.increment("label-positives.positive") or 0.0
    looked = rates.increment("label-positives.signal") or 0.0
    exposures = shown - taken - looked
    waiting = [
        one.waiting_s
        for one in known.readings
        if one.role == "label-positives" and not known.kafka_error
    ]
    return point | {
        "prequential_at_10": while_flowing(clicks, "trainer", "recall_at_10"),
        "prequential_at_50": while_flowing(clicks, "trainer", "recall_at_50"),
        "click_through": taken / exposures if exposures > 0 else None,
        "events_per_s": rates.per_s("label-positives.events"),
        "recalls_per_s": rates.per_s("index.recalls"),
        "positives_waiting_s": waiting[0] if waiting else None,
    }


def _problems(stages: Mapping[str, Stage], kafka_error: str, blind: bool) -> Iterator[str]:
    if kafka_error:
        yield "Kafka does not answer: lag and dead letters are not known"
    if blind:
        yield "Redis does not answer: roles are not known"
    for health in ("bad", "warn"):
        for name, stage in stages.items():
            if stage.health == health:
                yield f"{name}: {stage.says}"


def _overall(stages: Mapping[str, Stage], kafka_error: str, blind: bool) -> Health:
    if kafka_error or blind:
        return "bad"
    return worst_of([stage.health for stage in stages.values()])


def _headline(health: Health, problems: list[str], seen: bool) -> str:
    match health:
        case "bad":
            many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
            return f"{many}: {problems[0]}"
        case "warn":
            return f"Look here: {problems[0]}"
        case "ok":
            return "All is well"
        case "idle":
            return "All is well, and nothing flows"
        case "unknown":
            return "Looking" if seen else "Waiting for the first role"

"""The chain from events to recall: each box and pipe from what is known of it; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from ops.dashboard.instances import Instances
from ops.dashboard.rates import Rates
from ops.dashboard.snapshot import Health, ReadingRow, Stage, worst_of
from ops.lag import LagRow, span, worst
from schemas.status import Role

_FAR_BEHIND = 3.0
"""So many times what is normal, and at least a minute, is not a passing delay."""
_FLOWS_PER_S = 0.02
_STALE_S = 1.0
"""A user who clicks and looks again has waited so long: the next list should know of the click."""
_LEARNED = ("positives", "signals", "negatives")


class Known(NamedTuple):
    """All that a look has found."""

    instances: Instances
    rates: Rates
    figures: Mapping[tuple[Role, str], float]
    """Sums over the role's living processes; of times, the largest."""
    readings: list[ReadingRow]
    kafka_error: str
    now_s: float


def readings_of(rows: Iterable[LagRow]) -> list[ReadingRow]:
    """One row for each role and topic, of its partitions the worst."""
    found = []
    for _, grouped in groupby(rows, key=lambda row: (row.role, row.topic)):
        parts = list(grouped)
        known = [row.records for row in parts if row.records is not None]
        late = worst(parts)
        notes = dict.fromkeys(row.note for row in parts if row.note)
        first = parts[0]
        found.append(
            ReadingRow(
                role=first.role,
                topic=first.topic,
                group=first.group,
                partitions=len(parts),
                records=sum(known) if known else None,
                waiting_s=None if late is None else late.waiting_s,
                normal_s=first.normal_s,
                health=_lag_health(late),
                note="; ".join(notes),
            )
        )
    return found


def chain_of(known: Known) -> dict[str, Stage]:
    """Every box and pipe by name."""
    rates = known.rates
    recalls, failing = rates.per_s("index.recalls"), rates.per_s("index.errors")
    return {
        "producers": _producers(known),
        "events": _pipe("events", known),
        "label-positives": _role(
            "label-positives",
            _sum(rates.per_s("label-positives.positive"), rates.per_s("label-positives.signal")),
            known,
            "events",
        ),
        "label-negatives": _role(
            "label-negatives",
            rates.per_s("label-negatives.exposure_negative"),
            known,
            "events",
            pending=known.figures.get(("label-negatives", "pending_exposures")),
        ),
        "positives": _pipe("positives", known),
        "negatives": _pipe("negatives", known),
        "trainer": _role(
            "trainer",
            _sum(
                *(rates.per_s(f"trainer.{kind}") for kind in ("positives", "signals", "negatives"))
            ),
            known,
            "positives",
            negatives_lag_s=_waiting("negatives", known),
            steps_per_s=rates.per_s("trainer.step"),
            loss=known.figures.get(("trainer", "loss")),
            drift_max=known.figures.get(("trainer", "drift_max")),
            checkpoint_age_s=known.figures.get(("trainer", "checkpoint_age_s")),
        ),
        "item-vectors": _pipe("item-vectors", known),
        "users": _users(known),
        "index": _role(
            "index",
            rates.per_s("topic.item-vectors"),
            known,
            None,
            items=known.figures.get(("index", "items")),
            shards=known.figures.get(("index", "shards")),
            dead_share=known.figures.get(("index", "dead_share")),
            step=known.figures.get(("index", "step")),
        ),
        "recall.requests": _pipe("recall.requests", known),
        "clients": _clients(recalls, failing, known),
    }


def _role(
    role: Role, rate: float | None, known: Known, topic: str | None, **figures: float | None
) -> Stage:
    """A role's box; its lag is that of the topic that it must be quick on."""
    health, says = known.instances.role_health(role, known.now_s)
    mine = [reading for reading in known.readings if reading.role == role]
    late = [reading for reading in mine if reading.health in ("warn", "bad")]
    if late and not known.kafka_error:
        reading = max(late, key=lambda one: (one.waiting_s or 0) - one.normal_s)
        if worst_of([health, reading.health]) != health:
            health = reading.health
            says = f"{span(reading.waiting_s)} behind on {reading.topic.partition('.')[2]}"
    shown = next((one for one in mine if topic and one.topic.endswith(f".{topic}")), None)
    if shown is None or known.kafka_error:
        return Stage(health, says, rate, figures=figures)
    return Stage(health, says, rate, shown.waiting_s, shown.normal_s, figures)


def _producers(known: Known) -> Stage:
    if not known.instances.live("label-positives", known.now_s):
        return Stage("unknown", "counted by label-positives")
    return _flow("events arrive", known.rates.per_s("label-positives.events"))


def _waiting(topic: str, known: Known) -> float | None:
    if known.kafka_error:
        return None
    return next((one.waiting_s for one in known.readings if one.topic.endswith(f".{topic}")), None)


def _pipe(topic: str, known: Known) -> Stage:
    rate = known.rates.per_s(f"topic.{topic}")
    if known.kafka_error:
        return Stage("unknown", "Kafka does not answer")
    return _flow("records flow", rate)


def _flow(says: str, rate: float | None) -> Stage:
    if rate is None:
        return Stage("unknown", "not known yet")
    if rate < _FLOWS_PER_S:
        return Stage("idle", "quiet", rate)
    return Stage("ok", says, rate)


def _users(known: Known) -> Stage:
    """The users' records in Redis, as the trainer writes them."""
    failing = known.rates.increment("trainer.redis_errors", 10.0)
    waiting = known.figures.get(("trainer", "users_waiting"))
    figures = {
        "users": known.figures.get(("trainer", "users")),
        "waiting": waiting,
        "p50_ms": known.figures.get(("trainer", "click_to_user_vector_p50_ms")),
    }
    positives = known.rates.per_s("trainer.positives")
    if failing:
        return Stage("bad", "Redis fails", positives, figures=figures)
    if positives is None:
        return Stage("unknown", "not known yet", figures=figures)
    if positives < _FLOWS_PER_S:
        return Stage("idle", "quiet", positives, figures=figures)
    late_s = (figures["p50_ms"] or 0.0) / 1e3
    if late_s > _STALE_S:
        says = f"half of the clicks wait {span(late_s)} for their user's vector"
        return Stage("warn", says, positives, figures=figures)
    return Stage("ok", "refreshed", positives, figures=figures)


def _clients(recalls: float | None, failing: float | None, known: Known) -> Stage:
    figures = {
        "p50_ms": known.figures.get(("index", "recall_p50_ms")),
        "p99_ms": known.figures.get(("index", "recall_p99_ms")),
    }
    if failing:
        return Stage("warn", f"{failing:.1f} refused a second", recalls, figures=figures)
    stage = _flow("answered", recalls)
    return Stage(stage.health, stage.says, recalls, figures=figures)


def _lag_health(late: LagRow | None) -> Health:
    if late is None or late.waiting_s is None:
        return "unknown"
    if late.waiting_s <= late.normal_s:
        return "ok"
    return "bad" if late.waiting_s > max(60.0, _FAR_BEHIND * late.normal_s) else "warn"


def _sum(*rates: float | None) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None

"""Both labellers on a simulated Kafka that duplicates, delays, kills and rebalances by odds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from schemas.events import EXPOSURE, Event
from schemas.samples import Sample
from schemas.settings import LabellingSettings, Settings
from streams.deadlines import BUCKET_MS
from streams.labellers import NegativesLabeller, PositivesLabeller
from streams.negatives import IDLE_GRACE_MS
from tests.support.simulated_kafka import Group, SimulatedOutbox

WINDOW_MS = 4_000
LATENESS_MS = 3_000
T0_MS = 1_700_000_000_000
_PARTITIONS = 2
_WORKERS = 2
_ACTIONS = [EXPOSURE] * 6 + ["click", "share", "view"]
_LATEST_REQUESTS = 3


@dataclass(frozen=True)
class Odds:
    """How likely each trouble is in one step, 0 to 1."""

    record_again: float = 0.0
    """A record comes twice, as from a producer that missed the broker's answer."""
    outage: float = 0.0
    """The broker answers nothing in this step."""
    answer_lost: float = 0.0
    """The broker takes a letter and its answer is lost."""
    uncommitted: float = 0.0
    """What was acknowledged is not committed in this step."""
    rebalance: float = 0.0
    """Partitions change hands, or stay and are delivered again."""
    kill: float = 0.0
    """A worker is killed with what it has in memory."""
    time_passes: float = 0.0
    """The clock moves on without records."""


class Simulation:
    """Records come, are labelled by two workers of each role, and things go wrong."""

    def __init__(self, odds: Odds, chance: Random, max_pending: int) -> None:
        self.rules = LabellingSettings(
            positives={"click": 1.0, "share": 3.0},
            signals={"view": 0.5},
            window_ms=WINDOW_MS,
            lateness_ms=LATENESS_MS,
            max_pending_exposures=max_pending,
        )
        self._odds = odds
        self._chance = chance
        self._now_ms = T0_MS
        self._newest_ms = [T0_MS] * _PARTITIONS
        self._requests = 0
        self._shown_ms: dict[tuple[str, str], int] = {}
        self._log: list[list[list[Event]]] = [[] for _ in range(_PARTITIONS)]
        self.topic: list[Sample] = []
        """All samples that reached the broker."""
        given = Settings(namespace="simulated", labelling=self.rules)

        def clock() -> int:
            return self._now_ms

        makers: dict[str, Callable[[SimulatedOutbox], PositivesLabeller | NegativesLabeller]] = {
            "positives": lambda outbox: PositivesLabeller(given, "positives", clock, outbox),
            "negatives": lambda outbox: NegativesLabeller(given, "negatives", clock, outbox),
        }
        self.groups = {
            role: Group(make, self._log, self.topic, _WORKERS) for role, make in makers.items()
        }

    @property
    def events(self) -> list[Event]:
        """All that were published, as often as they were."""
        return [event for records in self._log for record in records for event in record]

    @property
    def unpunctual(self) -> set[tuple[str, str]]:
        """Pairs of which an event came further behind its partition's newest than the lateness."""
        pairs = set()
        for records in self._log:
            newest_ms = 0
            for record in records:
                pairs |= {
                    (event.request_id, event.item_id)
                    for event in record
                    if event.ts_ms < newest_ms - LATENESS_MS
                }
                newest_ms = max(newest_ms, *(event.ts_ms for event in record))
        return pairs

    def append(self, partition: int, events: list[Event]) -> None:
        """Publish these as one record."""
        self._log[partition].append(events)

    def step(self) -> None:
        """A record is published; each role reads, sends, and meets its troubles."""
        self._publish()
        if self._happens(self._odds.time_passes):
            self._now_ms += self._chance.choice([200, 1_500, WINDOW_MS + LATENESS_MS])
        for group in self.groups.values():
            group.tick()
            for partition in range(_PARTITIONS):
                for _ in range(self._chance.randrange(3)):
                    group.deliver(partition)
            if not self._happens(self._odds.outage):
                group.answer_some(self._chance)
            if self._happens(self._odds.answer_lost):
                group.answer_lost(self._chance)
            if not self._happens(self._odds.uncommitted):
                group.commit()
            owners = [self._chance.randrange(_WORKERS) for _ in range(_PARTITIONS)]
            if self._happens(self._odds.rebalance):
                group.rebalance(owners)
            if self._happens(self._odds.kill):
                group.kill(self._chance.randrange(_WORKERS), owners, self._chance)

    def finish(self) -> None:
        """All is read, every window closes, the broker answers, and every record is committed."""
        for group in self.groups.values():
            for partition in range(_PARTITIONS):
                while group.deliver(partition):
                    pass
        self._now_ms += IDLE_GRACE_MS + WINDOW_MS + LATENESS_MS + 2 * BUCKET_MS
        ends = {partition: len(records) for partition, records in enumerate(self._log)}
        for role, group in self.groups.items():
            group.tick()
            group.answer_all()
            group.commit()
            assert group.committed == ends, f"{role}: every record is acknowledged at the end"

    def _publish(self) -> None:
        """One to four events, none further behind the newest of its partition than the lateness."""
        partition = self._chance.randrange(_PARTITIONS)
        records = self._log[partition]
        if records and self._happens(self._odds.record_again):
            records.append(self._chance.choice(records[-3:]))
            return
        self._newest_ms[partition] += self._chance.randrange(1_000)
        self._requests += self._happens(0.5)
        records.append([self._event(partition) for _ in range(self._chance.randint(1, 4))])

    def _event(self, partition: int) -> Event:
        newest_ms = self._newest_ms[partition]
        ts_ms = newest_ms - self._chance.randrange(LATENESS_MS)
        action = self._chance.choice(_ACTIONS)
        back = self._chance.randrange(_LATEST_REQUESTS)
        pair = f"{partition}-{self._requests - back}", self._chance.choice("abcd")
        if action == EXPOSURE:  # a request shows an item once; again is a duplicate of that
            ts_ms = self._shown_ms.setdefault(pair, ts_ms)
        return Event(action, "u", pair[1], pair[0], ts_ms)

    def _happens(self, odds: float) -> bool:
        return self._chance.random() < odds

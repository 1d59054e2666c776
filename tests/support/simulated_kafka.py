"""Partitions, consumer groups and a broker in memory, with Faust's rule of committing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol, cast

from faust.types import EventT

from schemas.codec import Decoder, encode
from schemas.events import Event
from schemas.samples import Sample, SampleBatch
from streams.outbox import Letter

_batches = Decoder[SampleBatch](SampleBatch)


class DrivenLabeller(Protocol):
    """What a worker runs."""

    def handle(self, event: EventT[bytes]) -> None: ...

    def tick(self) -> None: ...

    def assign(self, partitions: set[int]) -> None: ...


@dataclass
class Message:
    """A record of `events` as Faust hands it over."""

    partition: int
    offset: int
    value: bytes
    topic: str = "simulated.events"
    key: bytes = b"u"
    headers: None = None


class Delivery:
    """A Faust event: a message that can be acknowledged."""

    def __init__(self, message: Message, ack: Callable[[], None]) -> None:
        self.message = message
        self.ack = ack


class Flight(NamedTuple):
    """A letter on its way to the broker, or kept from it."""

    letter: Letter
    delivered: Callable[[], None]


class SimulatedOutbox:
    """What a process has sent and has no acknowledgement for; ends with the process."""

    def __init__(self) -> None:
        self.flights: list[Flight] = []

    def send(self, letter: Letter, delivered: Callable[[], None]) -> None:
        self.flights.append(Flight(letter, delivered))

    async def room(self) -> None:
        """Without a bound."""


@dataclass
class Worker:
    """One process: a labeller with its outbox."""

    labeller: DrivenLabeller
    outbox: SimulatedOutbox
    owned: set[int] = field(default_factory=set)


class Group:
    """The workers of one role: who owns which partition, what is read, acknowledged, committed.

    Acknowledging an offset commits past every gap before it, whoever acknowledged and whenever:
    the worst that Faust does.
    """

    def __init__(
        self,
        make: Callable[[SimulatedOutbox], DrivenLabeller],
        log: list[list[list[Event]]],
        topic: list[Sample],
        workers: int,
    ) -> None:
        self._make = make
        self._log = log
        self._topic = topic
        self.workers = [self._new_worker() for _ in range(workers)]
        partitions = range(len(log))
        self._acknowledged = dict.fromkeys(partitions, 0)
        self.committed = dict.fromkeys(partitions, 0)
        self.position = dict.fromkeys(partitions, 0)
        self.rebalance([partition % workers for partition in partitions])

    def rebalance(self, owners: list[int]) -> None:
        """Partition n goes to worker `owners[n]`, from its committed offset even where it stays."""
        for index, worker in enumerate(self.workers):
            worker.owned = {partition for partition, to in enumerate(owners) if to == index}
            worker.labeller.assign(set())
            worker.labeller.assign(set(worker.owned))
        self.position = dict(self.committed)
        self._acknowledged = dict(self.committed)

    def kill(self, index: int, owners: list[int], chance: Random) -> None:
        """The process is gone; each of its letters in flight was written or was not.

        Another takes its place in the group with nothing in memory.
        """
        for flight in self.workers[index].outbox.flights:
            if chance.random() < 0.5:
                self._write(flight.letter)
        self.workers[index] = self._new_worker()
        self.rebalance(owners)

    def commit(self) -> None:
        """What Faust does once a second with what was acknowledged by then."""
        self.committed = dict(self._acknowledged)

    def deliver(self, partition: int) -> bool:
        """Hand the partition's next record to its owner; False when there is none."""
        offset = self.position[partition]
        if offset == len(self._log[partition]):
            return False
        self.position[partition] = offset + 1

        def acknowledge() -> None:
            self._acknowledged[partition] = max(self._acknowledged[partition], offset + 1)

        message = Message(partition, offset, encode(self._log[partition][offset]))
        delivery = cast(Any, Delivery(message, acknowledge))
        next(w for w in self.workers if partition in w.owned).labeller.handle(delivery)
        return True

    def answer_some(self, chance: Random) -> None:
        """The broker takes some letters, in any order, and says so."""
        for worker in self.workers:
            flights = worker.outbox.flights
            for _ in range(chance.randint(0, len(flights))):
                self._answer(flights.pop(chance.randrange(len(flights))))

    def answer_all(self) -> None:
        for worker in self.workers:
            while worker.outbox.flights:
                self._answer(worker.outbox.flights.pop(0))

    def answer_lost(self, chance: Random) -> None:
        """The broker takes a letter and its answer is lost: the letter is sent again later."""
        for worker in self.workers:
            if worker.outbox.flights:
                self._write(chance.choice(worker.outbox.flights).letter)

    def tick(self) -> None:
        for worker in self.workers:
            worker.labeller.tick()

    def _answer(self, flight: Flight) -> None:
        self._write(flight.letter)
        flight.delivered()

    def _write(self, letter: Letter) -> None:
        self._topic.extend(_batches.decode(letter.value).stated())

    def _new_worker(self) -> Worker:
        outbox = SimulatedOutbox()
        return Worker(self._make(outbox), outbox)

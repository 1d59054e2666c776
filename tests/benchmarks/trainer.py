"""The learner beside a bare torch loop of the same shapes, and the whole trainer beside it."""

from __future__ import annotations

import gc
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from schemas.events import CLICK, Item
from schemas.samples import POSITIVE, PassedOver, Sample, SampleBatch, sample_id
from schemas.settings import Settings
from tests.benchmarks.bare_model import BareModel, bare_batch
from tests.benchmarks.rounds import Figures, Row, compare, parser, show
from tests.benchmarks.scan import measure_scan
from tests.benchmarks.trainer_role import REAL, running_role
from towers.learner import Learner

_CATEGORIES = 50


class Size(NamedTuple):
    """How much is run."""

    items: int = 5_000
    users: int = 300
    warm_steps: int = 40
    """Enough to fill the histories and the replay buffer."""
    steps: int = 10
    """Timed at once."""
    encodes: int = 20
    """Batches of users, timed at once."""
    scanned: int = 100_000
    """Items whose vectors are made anew and compared with the published ones."""
    role_steps: int = 150
    """Timed at once, through Kafka."""


FULL = Size()


class Feed:
    """Samples that never repeat: users take items of some categories of theirs."""

    def __init__(self, size: Size, negatives: int) -> None:
        self._size = size
        self._negatives = negatives
        self._chance = random.Random(0)
        self._sent = 0

    def batch(self, positives: int) -> SampleBatch:
        """So many positives, each with the negatives of its request."""
        samples: list[Sample] = []
        passed_over: list[PassedOver] = []
        for _ in range(positives):
            self._sent += 1
            user = self._chance.randrange(self._size.users)
            liked = (user + self._chance.randrange(3)) % _CATEGORIES
            taken = liked + _CATEGORIES * self._chance.randrange(self._size.items // _CATEGORIES)
            request, user_id, item_id = f"r{self._sent}", f"u{user}", f"i{taken}"
            identity = sample_id(request, item_id, CLICK)
            samples.append(
                Sample(identity, POSITIVE, CLICK, user_id, item_id, request, ts_ms=self._sent)
            )
            shown = self._chance.sample(range(self._size.items), self._negatives + 1)
            passed = [f"i{item}" for item in shown if item != taken][: self._negatives]
            if passed:
                passed_over.append(PassedOver(user_id, request, self._sent, passed))
        return SampleBatch(samples, 0, self._sent, passed_over=passed_over)


def catalogue(items: int) -> list[Item]:
    """So many items, each with a category."""
    return [
        Item(f"i{number}", 1, features={"category": f"c{number % _CATEGORIES}"})
        for number in range(items)
    ]


class Learning:
    """A learner that is past its first steps, and what it is fed."""

    def __init__(self, settings: Settings, size: Size, negatives: int) -> None:
        self._batch = settings.trainer.batch
        self._size = size
        self._feed = Feed(size, negatives)
        self.learner = Learner(settings)
        self.learner.put_items(catalogue(size.items))
        self.learn(size.warm_steps)

    def learn(self, steps: int) -> tuple[int, float]:
        """New positives learned, and the seconds it took; making the samples is not timed."""
        polled = [self._feed.batch(self._batch) for _ in range(steps)]
        learned = 0
        started_s = time.perf_counter()
        for one in polled:
            self.learner.observe([one])
            report = self.learner.learn_many(self._batch)
            learned += report.learned if report else 0
        return learned, time.perf_counter() - started_s

    def learn_timed(self) -> Figures:
        learned, took_s = self.learn(self._size.steps)
        return Figures(learned / took_s)

    def encode_timed(self) -> Figures:
        """Users' records, of `batch` users at a time."""
        ids = self.learner.world.users.ids()[: self._batch]
        started_s = time.perf_counter()
        made = sum(len(self.learner.user_records(ids, 0)) for _ in range(self._size.encodes))
        return Figures(made / (time.perf_counter() - started_s))

    def vectors_timed(self) -> Figures:
        """Users' vectors alone."""
        ids = self.learner.world.users.ids()[: self._batch]
        started_s = time.perf_counter()
        for _ in range(self._size.encodes):
            self.learner.embed_users(ids)
        return Figures(len(ids) * self._size.encodes / (time.perf_counter() - started_s))


def bare(settings: Settings, size: Size) -> tuple[Callable[[], Figures], Callable[[], Figures]]:
    """The bare loop's step, of as many rows as the learner's, and its encoding of users."""
    towers, batch = settings.towers, settings.trainer.batch
    model = BareModel(towers, size.items, _CATEGORIES)
    rows = batch * (1 + towers.replay)
    batches = [bare_batch(towers, rows, size.items, seed) for seed in range(size.steps)]

    def learn() -> Figures:
        started_s = time.perf_counter()
        for one in batches:
            model.learn(one)
        return Figures(batch * len(batches) / (time.perf_counter() - started_s))

    @torch.no_grad()
    def encode() -> Figures:
        users = batches[0].latest[:batch], batches[0].shares[:batch]
        started_s = time.perf_counter()
        for _ in range(size.encodes):
            model.encode(*users)
        return Figures(batch * size.encodes / (time.perf_counter() - started_s))

    return learn, encode


def measure(settings: Settings, size: Size = FULL, rounds: int = 5) -> list[Row]:
    """Learning at two shares of negatives, encoding users, and scanning items."""
    batch = settings.trainer.batch
    bare_learn, bare_encode = bare(settings, size)
    few, many = Learning(settings, size, 1), Learning(settings, size, 24)
    gc.freeze()  # as a role does once it has started
    learning = {
        "bare torch step": bare_learn,
        "learner, 1 negative each": few.learn_timed,
        "learner, 24 negatives each": many.learn_timed,
    }
    encoding = {
        "bare torch encode": bare_encode,
        "learner's user vectors": few.vectors_timed,
        "learner's user records": few.encode_timed,
    }
    return [
        *compare(f"new positives, {batch} a step", learning, rounds),
        *compare(f"users, {batch} at once", encoding, rounds),
        *measure_scan(settings, size.scanned, rounds),
    ]


def measure_role(settings: Settings, folder: Path, size: Size = FULL, rounds: int = 3) -> list[Row]:
    """The learner in memory, and the trainer's process with Kafka and Redis.

    A record holds two positives, so that a turn, which polls 64, finds one step's: the trainer
    never falls behind, which would make its steps cheaper.
    """
    memory, feed = Learning(settings, size, 0), Feed(size, 0)
    records = size.role_steps * settings.trainer.batch // 2
    with running_role(settings, folder, catalogue(size.items)) as role:

        def through_kafka() -> Figures:
            return role.learn_timed([feed.batch(2) for _ in range(records)])

        def in_memory() -> Figures:
            learned, took_s = memory.learn(size.role_steps)
            return Figures(learned / took_s)

        through_kafka()  # publishes all items first, and fills histories and the replay buffer
        broker = "real Kafka and Redis" if REAL else "the embedded broker"
        contenders = {"learner in memory": in_memory, "trainer's process": through_kafka}
        return compare(f"new positives, through {broker}", contenders, rounds)


def main() -> None:
    given = parser("trainer", __doc__, rounds=5).parse_args()
    torch.set_num_threads(1)  # as the trainer does
    rows = measure(Settings(), rounds=given.rounds)
    with tempfile.TemporaryDirectory() as folder:
        rows += measure_role(Settings(), Path(folder), rounds=given.rounds)
    show(rows, unit="each", as_json=given.json)


if __name__ == "__main__":
    main()

"""The chain against a ranker that computes every score anew from what was published."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from ops.evaluation.chain import PenstockChain
from ops.evaluation.judge import judge
from ops.evaluation.metrics import hits, random_hits
from ops.evaluation.recommender import Ask
from ops.evaluation.sync import LIVE, NEVER, parse_interval
from schemas.codec import Decoder
from schemas.errors import SettingsError
from schemas.events import Event, Item
from schemas.samples import SampleBatch
from schemas.settings import Settings
from schemas.vectors import ANYONE, ItemVector, UserRecord, unpack_vector
from streams.negatives import NegativesJoin
from streams.positives import label_positives
from tests.unit.ops.evaluation.streams import SETTINGS, event, random_events, stream_of
from towers.learner import Learner
from towers.publisher import Publisher
from towers.publishing import Publishing

_CATEGORIES = 5
_vector = Decoder[ItemVector](ItemVector)


class Records(dict[str, ItemVector]):
    """A `Sender` that keeps what was published."""

    def send(self, item_id: str, value: bytes | None) -> bool:
        assert value is not None
        self[item_id] = _vector.decode(value)
        return True

    def undelivered(self) -> list[str]:
        return []


class BruteForce:
    """Learns as the chain does, and ranks all items by the formula in the docs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._learner = Learner(settings)
        publisher = Publisher(settings)
        self._records = Records()
        self._publishing = Publishing(self._learner, publisher, self._records, lambda: 0)
        self._join = NegativesJoin[int](settings.labelling, lambda: 0)
        self._waiting: list[SampleBatch] = []
        self._stale: dict[str, None] = {}
        self.users: dict[str, UserRecord] = {}
        self._offset = 0

    def recommend(self, ask: Ask) -> list[str]:
        if self._waiting:
            self._stale |= dict.fromkeys([*self._learner.observe(self._waiting), ANYONE])
            self._learner.settle()
        self._waiting = []
        learn = self._learner.pending >= self._settings.trainer.batch
        if learn:
            self._write(list(self._stale))
            self._learner.learn_many(self._settings.trainer.batch)
            behind = self._learner.users_behind(self._settings.trainer.scan_users)
            self._stale |= dict.fromkeys([ANYONE, *behind])
        self._publishing.publish(int(learn))
        self._write([ask.user_id, ANYONE])
        anyone = self.users.get(ANYONE)
        user = self.users.get(ask.user_id, anyone)
        scores = self._scores(user, anyone, self._here(ask, user))
        allowed = [item for item in scores if item not in ask.exclude]
        return sorted(allowed, key=lambda item: (-scores[item], item))[: ask.k]

    def arrive(self, items: Sequence[Item]) -> None:
        self._learner.put_items(items)

    def take(self, events: Sequence[Event]) -> None:
        self._offset += 1
        self._waiting.append(label_positives(events, self._settings.labelling, 0, self._offset))
        for offset, shown in self._join.add(events, self._offset).negatives.items():
            self._waiting.append(SampleBatch([], 0, offset, passed_over=shown))

    def _write(self, names: list[str]) -> None:
        stale = [name for name in names if name in self._stale]
        self.users |= dict(self._learner.user_records(stale, 0))
        self._stale = {name: None for name in self._stale if name not in stale}

    def _here(self, ask: Ask, user: UserRecord | None) -> dict[str, dict[str, float]]:
        """What is taken where the request is; else where the user was."""
        asked = {name: f"{name}={value}" for name, value in ask.context.items()}
        found = dict(self._learner.context_records(list(asked.values()), 0))
        last = user.context if user else {}
        return last | {name: found[value].items for name, value in asked.items()}

    def _scores(
        self,
        user: UserRecord | None,
        anyone: UserRecord | None,
        here: dict[str, dict[str, float]],
    ) -> dict[str, float]:
        if user is None or anyone is None:
            return {}  # nothing was taken in yet
        clock = max((one.trend_clock for one in self._records.values()), default=0.0)
        clock = max(clock, user.trend_clock)
        weights = max(anyone, user, key=lambda record: record.step).weights
        scale = max(anyone, user, key=lambda record: record.step).scale
        scores = {}
        for item_id, one in self._records.items():
            score = scale * float(unpack_vector(one.vector) @ unpack_vector(user.vector))
            for name, count in one.counts.items():
                faded = count * 2 ** ((one.trend_clock - clock) / float(name.split("@")[1]))
                score += weights.get(name, 0.0) * math.log((faded + 0.1) / 0.1)
            if item_id in user.latest:
                score += weights["recent"] * 0.8 ** user.latest.index(item_id) + weights["taken"]
            score += weights["similar"] * user.similar.get(item_id, 0.0)
            score += weights["together"] * user.together.get(item_id, 0.0)
            score += weights["pairs"] * user.pairs.get(item_id, 0.0)
            for name, listed in here.items():
                score += weights.get(f"context:{name}", 0.0) * listed.get(item_id, 0.0)
            scores[item_id] = score
        return scores


class Both:
    """Asks both and wants the same."""

    def __init__(self, one: PenstockChain, other: BruteForce) -> None:
        self._both = (one, other)
        self.lists: list[list[str]] = []

    def recommend(self, ask: Ask) -> list[str]:
        one, other = (recommender.recommend(ask) for recommender in self._both)
        assert one == other
        self.lists.append(one)
        return one

    def arrive(self, items: Sequence[Item]) -> None:
        for recommender in self._both:
            recommender.arrive(items)

    def take(self, events: Sequence[Event]) -> None:
        for recommender in self._both:
            recommender.take(events)


def with_towers(**values: object) -> Settings:
    towers = SETTINGS.towers.model_copy(update=values)
    return SETTINGS.model_copy(update={"towers": towers})


@pytest.mark.parametrize(
    "settings", [SETTINGS, with_towers(exposures_weight=0.3, trend_half_lives=(20.0, 3.0))]
)
def test_the_chain_ranks_as_brute_force_does(settings: Settings) -> None:
    # With a name of its own no item ties with another: rounding decides the order of ties.
    items = [
        Item(f"i{n}", 0, features={"kind": f"k{n % _CATEGORIES}", "name": f"n{n}"})
        for n in range(30)
    ]
    brute_force = BruteForce(settings)
    both = Both(PenstockChain(settings, LIVE), brute_force)
    events = [
        msgspec.structs.replace(each, context={"city": f"c{int(each.request_id[1:]) % 4}"})
        for each in random_events(150)
    ]
    found = judge(stream_of(events, items), both, exclude_own=False)
    assert len(both.lists) > 80
    assert brute_force.users[ANYONE].weights["context:city"] != 0
    assert len(both.lists[-1]) == 30
    assert found.ranks[-1] > 0


def planted(count: int) -> list[Event]:
    """User n likes the items whose number is n modulo the categories; one click a second."""
    random = np.random.default_rng(3)
    return [
        event("click", f"u{user}", f"i{user + _CATEGORIES * int(random.integers(12))}", f"r{n}",
              n * 1_000)
        for n in range(count)
        for user in [int(random.integers(_CATEGORIES))]
    ]  # fmt: skip


def test_what_is_learned_is_served() -> None:
    found = judge(stream_of(planted(500)), PenstockChain(SETTINGS, LIVE), exclude_own=False)
    late = slice(-200, None)
    chance = random_hits(found.candidates, 10)[late].mean()
    assert hits(found.ranks, 10)[late].mean() > 3 * chance  # 10 of a user's 12 of 60: 5 at best


def test_never_synced_nothing_is_served() -> None:
    found = judge(stream_of(planted(100)), PenstockChain(SETTINGS, NEVER), exclude_own=False)
    assert not found.ranks.any()
    assert found.listed == 0


def test_an_interval_serves_what_was_known_when_it_ended() -> None:
    """With one of 100 s, lists know the items and users of the whole hundreds only."""
    events = planted(350)
    chain = PenstockChain(SETTINGS, parse_interval("100s"))
    lists: list[set[str]] = []

    class Kept:
        def recommend(self, ask: Ask) -> list[str]:
            found = chain.recommend(ask)
            lists.append(set(found))
            return found

        arrive = staticmethod(chain.arrive)
        take = staticmethod(chain.take)

    judge(stream_of(events), Kept(), exclude_own=False)
    for number, found in enumerate(lists):
        known = {one.item_id for one in events[: number // 100 * 100]}
        assert found == known


def test_seeds_and_nothing_else_change_a_run() -> None:
    stream = stream_of(random_events(80))
    runs = [
        judge(stream, PenstockChain(with_towers(seed=seed), LIVE), exclude_own=False).ranks
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


def test_settings_that_allow_no_such_list_are_named() -> None:
    index = SETTINGS.index.model_copy(update={"max_k": 100})
    chain = PenstockChain(SETTINGS.model_copy(update={"index": index}), LIVE)
    with pytest.raises(SettingsError, match=r"raise index\.max_k"):
        chain.recommend(Ask("u", 0, {}, 200, []))


def test_a_stranger_gets_what_is_taken_where_the_request_is() -> None:
    """Each click is of a user never seen before, on any of the ten items of the city."""
    random = np.random.default_rng(5)
    events = []
    for number in range(400):
        city = int(random.integers(6))
        item = f"i{6 * random.integers(10) + city}"
        events.append(
            event("click", f"u{number}", item, f"r{number}", number * 1_000, city=f"c{city}")
        )
    items = [Item(f"i{n}", 0, features={"name": f"n{n}"}) for n in range(60)]

    def found(asked: list[Event]) -> float:
        ranks = judge(stream_of(asked, items), PenstockChain(SETTINGS, LIVE), False).ranks
        return float(hits(ranks, 10)[len(asked) // 2 :].mean())

    nowhere = [msgspec.structs.replace(each, context={}) for each in events]
    assert found(events) > 0.8  # all, were each city's ten known from the start
    assert found(nowhere) < 0.35  # 10 of 60 by chance

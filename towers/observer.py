"""Takes samples into what is known of users and items, before anything is learned from them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from schemas.events import EXPOSURE
from schemas.samples import (
    EXPOSURE_NEGATIVE,
    POSITIVE,
    PassedOver,
    Sample,
    SampleBatch,
    sample_ids,
)
from schemas.settings import Settings
from towers.arrays import Floats, State, ints, packed, unpacked
from towers.catalogue import Catalogue
from towers.frequency import FrequencyEstimate
from towers.model import TwoTower
from towers.pieces import Pieces, finished
from towers.probes import Probe
from towers.recall_meter import stride
from towers.related import Related, View, view
from towers.replay import Example, ReplayBuffer
from towers.seen_samples import SeenSamples, exposure_id
from towers.trend import Trend, TrendCounts
from towers.users import User, Users


class Observed(NamedTuple):
    """What a call of `observe` moved."""

    users: list[str]
    """Users whose record is no longer true, in order of their first sample."""
    items: set[int]
    """Items whose counts moved, or that are new."""
    discovered: list[int]
    """Items that no record described and no sample named before."""


@dataclass(frozen=True)
class Before:
    """The counts from before a call of `observe`."""

    counts: TrendCounts
    """A copy."""
    shown: set[str]
    """Items whose exposures came with the call."""

    @cached_property
    def biases(self) -> Floats:
        """(counts, items): by which all positives of the call are ranked."""
        return self.counts.biases()


class Sighted(NamedTuple):
    """A positive that will be ranked, and what was known of its user just before it."""

    number: int
    """In the replay buffer."""
    item: int
    sample: Sample
    view: View
    before: Before


class Observer:
    """Histories, seen items, trend and frequencies; each positive enters the replay buffer with
    the history from just before it, so that no model learns a click from itself.
    """

    def __init__(self, settings: Settings, model: TwoTower) -> None:
        towers, trainer = settings.towers, settings.trainer
        self._model = model
        self._history = towers.history
        self._seen_items = trainer.seen_items
        self._user_ids = settings.features.user_id
        self._ranked, self._most_probes = trainer.ranked_per_poll, _BATCHES * trainer.batch
        self.catalogue = Catalogue()
        self.users = Users(trainer.users)
        self.trend = Trend(towers.trend_half_lives)
        self.related = Related(settings)
        self.frequency = FrequencyEstimate()
        self.replay = ReplayBuffer(towers.replay_buffer, towers.history, trainer.waiting_positives)
        self.counts: Counter[str] = Counter()
        """Samples by what became of them."""
        self.probes: dict[int, Probe] = {}
        """Of pending positives that will be ranked, by their number in the replay buffer."""
        self._sighted: deque[Sighted] = deque()
        self._examples: list[Example] = []  # of the call in hand
        self._offered = 0  # items known since an earlier call: recall could offer them
        self._samples = SeenSamples(trainer.sample_window)
        self._sources: dict[int, int] = {}  # highest offset of `events` counted, by partition

    def observe(self, batches: Iterable[SampleBatch]) -> Observed:
        """Take the samples in, each once, in their order; what can wait is left to `settle`."""
        observed = Observed([], set(), [])
        touched: dict[str, None] = {}
        batches = list(batches)
        positives = sum(sample.kind == POSITIVE for one in batches for sample in one.samples)
        every = stride(len(self.catalogue), positives, self._ranked)
        before = self._before(batches, positives, every)
        for batch in batches:
            self._count_exposures(batch, observed)
            for sample in batch.samples:
                verdict = self._samples.judge(sample)
                if verdict in ("duplicate", "refused_negative"):
                    self.counts[_COUNTED[verdict]] += 1
                    continue
                known = len(self.catalogue)
                item = self.item(sample.item_id, observed.discovered)
                if item >= known:
                    self.catalogue.touch(item, sample.ts_ms)
                user = self.users.of(sample.user_id)
                self._take_features(user, sample)
                touched[sample.user_id] = None
                if sample.kind == EXPOSURE_NEGATIVE:
                    self._pass_over(user, {sample.sample_id: item})
                    continue
                if verdict == "late_positive":
                    self.counts["late_positives"] += 1
                    user.negatives.pop(exposure_id(sample), None)
                if sample.kind == POSITIVE:
                    if before is not None and self.trend.clock % every == 0:
                        self._sight(user, item, sample, before)
                    self._take_positive(user, item, sample)
                    observed.items.add(item)
                else:
                    self.counts["signals"] += 1
                self.related.act(user, item, sample.weight)
                user.act(item, sample.weight, self._history)
                user.see([item], self._seen_items, sample.weight)
            for shown in batch.passed_over:
                if self._pass_all_over(shown, observed):
                    touched[shown.user_id] = None
        self.replay.extend(self._examples)
        self._examples = []
        self._offered = len(self.catalogue)
        observed.items.update(observed.discovered)
        return observed._replace(users=list(touched))

    def settle(self) -> None:
        """Do what no user's record must wait for: the probes, and which items occur together."""
        finished(self.settling())

    def settling(self) -> Pieces[None]:
        """`settle` in pieces; what is observed in between is settled too.

        Which items occur together is counted once all probes are made, so that nothing counts for
        the probe of a positive that came with it or before it.
        """
        while self._sighted:
            sighted = self._sighted.popleft()
            if self._room_for_probes():
                self.probes[sighted.number] = self._probe(sighted)
            yield
        self.related.flush(self.trend.clock, len(self.catalogue))

    def item(self, item_id: str, discovered: list[int]) -> int:
        """Row of the item; one that is new is appended to `discovered`."""
        row = self.catalogue.row(item_id)
        if row is None:
            row = self.catalogue.discover(item_id)
            self._model.items.put(row, item_id, {})
            discovered.append(row)
        return row

    def _count_exposures(self, batch: SampleBatch, observed: Observed) -> None:
        if batch.source_offset <= self._sources.get(batch.source_partition, -1):
            return
        if not batch.exposures:
            return
        self._sources[batch.source_partition] = batch.source_offset
        for item_id, count in batch.exposures.items():
            item = self.item(item_id, observed.discovered)
            self.trend.add_exposures(item, count)
            observed.items.add(item)

    def _take_features(self, user: User, sample: Sample | PassedOver) -> None:
        changed = user.learn_features(sample.context, sample.ts_ms)
        if changed or (self._user_ids and not len(user.keys)):
            identity = sample.user_id if self._user_ids else None
            user.keys, user.weights = self._model.user_features.encode(user.features, identity)

    def _pass_all_over(self, shown: PassedOver, observed: Observed) -> bool:
        """Whether any of the items is to be learned."""
        identities = sample_ids(shown.request_id, shown.item_ids, EXPOSURE)
        verdicts = self._samples.judge_exposures(identities)
        items: dict[int, int] = {}
        for identity, item_id, verdict in zip(identities, shown.item_ids, verdicts, strict=True):
            if verdict != "new":
                self.counts[_COUNTED[verdict]] += 1
                continue
            item = self.catalogue.row(item_id)
            if item is None:
                item = self.item(item_id, observed.discovered)
                self.catalogue.touch(item, shown.ts_ms)
            items[identity] = item
        if items:
            user = self.users.of(shown.user_id)
            self._take_features(user, shown)
            self._pass_over(user, items)
        return bool(items)

    def _pass_over(self, user: User, items: Mapping[int, int]) -> None:
        self.counts["negatives"] += len(items)
        user.pass_over(items)
        # An older exposure does not make an item seen anew.
        unseen = [item for item in dict.fromkeys(items.values()) if item not in user.seen]
        self.related.pass_over(user, unseen)
        user.see(unseen, self._seen_items)

    def _before(self, batches: list[SampleBatch], positives: int, every: int) -> Before | None:
        """What a positive of this call may know of counts; None when none will ask.

        Counts from before the call, so that no positive ranks itself, nor its request's exposures,
        and of items from before it: an item that came with its first positive could not be
        recalled, and would teach that what is new is taken.
        """
        if -self.trend.clock % every >= positives:
            return None
        shown = set[str]().union(*(batch.exposures for batch in batches))
        return Before(self.trend.counts(self._offered).copied(), shown)

    def _sight(self, user: User, item: int, sample: Sample, before: Before) -> None:
        number = self.replay.appended + len(self._examples)
        self._sighted.append(Sighted(number, item, sample, view(user), before))

    def _probe(self, sighted: Sighted) -> Probe:
        number, item, sample, viewed, before = sighted
        biases = before.biases
        known = biases.shape[1]
        own = biases[:, item].copy() if item < known else _NO_BIASES
        if sample.item_id not in before.shown:
            # Its request's exposure was counted in an earlier call: recall could not know of it.
            self.trend.take_exposure_back(own)
        seen, taken = viewed.seen, ints(viewed.latest)
        return Probe(
            number,
            item,
            sample.weight,
            seen[seen < known],
            taken[taken < known],
            self.trend.names,
            biases,
            own,
            self.related.marks(viewed, known),
            viewed.past,
        )

    def _room_for_probes(self) -> int:
        """How many more may wait: each call's hold the counts of all items."""
        if len(self.probes) >= self._most_probes:
            pending = self.replay.learned  # those before it were passed over
            self.probes = {one: made for one, made in self.probes.items() if one >= pending}
        return max(0, self._most_probes - len(self.probes))

    def _take_positive(self, user: User, item: int, sample: Sample) -> None:
        self.counts["positives"] += 1
        self.trend.add_positive(item)
        self.frequency.observe(item, len(self.catalogue))
        latest, actions = list(user.latest), list(user.latest.values())
        if item in user.latest:
            own = latest.index(item)
            del latest[own], actions[own]
        latest.reverse()
        actions.reverse()
        self._examples.append(
            Example(
                sample.user_id,
                item,
                sample.weight,
                latest,
                actions,
                user.keys,
                user.weights,
            )
        )

    def state(self) -> State:
        """For a checkpoint; the probes are left out, so a few positives go unranked."""
        self.settle()
        return {
            "catalogue": self.catalogue.state(),
            "users": self.users.state(),
            "trend": self.trend.state(),
            "related": self.related.state(),
            "frequency": self.frequency.state(),
            "replay": self.replay.state(),
            "samples": self._samples.state(),
            "counts": packed(self.counts),
            "sources": packed(self._sources),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.catalogue.load(state["catalogue"])
        self.users.load(state["users"])
        self.trend.load(state["trend"])
        self.related.load(state["related"])
        self.frequency.load(state["frequency"])
        self.replay.load(state["replay"])
        self._samples.load(state["samples"])
        self._offered = len(self.catalogue)
        self.counts = Counter(unpacked(state["counts"], dict[str, int]))
        self._sources = unpacked(state["sources"], dict[int, int])


_BATCHES = 2  # of positives that may wait to be ranked
_NO_BIASES: Floats = np.zeros(0, np.float32)
_COUNTED = {"duplicate": "duplicates", "refused_negative": "late_positives"}

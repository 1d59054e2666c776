"""Takes samples into what is known of users and items, before anything is learned from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from schemas.samples import EXPOSURE_NEGATIVE, POSITIVE, Sample, SampleBatch
from schemas.settings import Settings
from towers.arrays import State, ints, packed, unpacked
from towers.catalogue import Catalogue
from towers.frequency import FrequencyEstimate
from towers.model import TwoTower
from towers.recall_meter import Probe, stride
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


class Observer:
    """Histories, seen items, trend and frequencies; each positive enters the replay buffer with
    the history from just before it, so that no model learns a click from itself.
    """

    def __init__(self, settings: Settings, model: TwoTower) -> None:
        towers, trainer = settings.towers, settings.trainer
        self._model = model
        self._history = towers.history
        self._seen_items = trainer.seen_items
        self._batch = trainer.batch
        self._user_ids = settings.features.user_id
        self.catalogue = Catalogue()
        self.users = Users()
        self.trend = Trend(towers.trend_half_life)
        self.frequency = FrequencyEstimate()
        self.replay = ReplayBuffer(towers.replay_buffer, towers.history, trainer.waiting_positives)
        self.counts: Counter[str] = Counter()
        """Samples by what became of them."""
        self.probes: dict[int, Probe] = {}
        """Of pending positives that will be ranked, by their number in the replay buffer."""
        self._samples = SeenSamples(trainer.sample_window)
        self._sources: dict[int, int] = {}  # highest offset of `events` counted, by partition

    def observe(self, batches: Iterable[SampleBatch]) -> Observed:
        """Take the samples in, each once, in their order."""
        observed = Observed([], set(), [])
        touched: dict[str, None] = {}
        every = stride(len(self.catalogue), self._batch)
        before: TrendCounts | None = None
        for batch in batches:
            self._count_exposures(batch, observed)
            for sample in batch.samples:
                verdict = self._samples.judge(sample)
                if verdict in ("duplicate", "refused_negative"):
                    self.counts[_COUNTED[verdict]] += 1
                    continue
                item = self.item(sample.item_id, observed.discovered)
                self.catalogue.touch(item, sample.ts_ms)
                user = self.users.of(sample.user_id)
                self._take_features(user, sample)
                touched[sample.user_id] = None
                if sample.kind == EXPOSURE_NEGATIVE:
                    self._pass_over(user, item, sample)
                    continue
                if verdict == "late_positive":
                    self.counts["late_positives"] += 1
                    user.negatives.pop(exposure_id(sample), None)
                if sample.kind == POSITIVE:
                    if self.trend.clock % every == 0:
                        # Counts from before this call, so that a positive does not rank itself.
                        before = before or self._counts_before(observed)
                        self._probe(user, item, before)
                    self._take_positive(user, item, sample)
                    observed.items.add(item)
                else:
                    self.counts["signals"] += 1
                user.act(item, sample.weight, self._history)
                user.see(item, self._seen_items)
        observed.items.update(observed.discovered)
        return observed._replace(users=list(touched))

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

    def _take_features(self, user: User, sample: Sample) -> None:
        changed = user.learn_features(sample.context, sample.ts_ms)
        if changed or (self._user_ids and not len(user.keys)):
            identity = sample.user_id if self._user_ids else None
            user.keys, user.weights = self._model.user_features.encode(user.features, identity)

    def _pass_over(self, user: User, item: int, sample: Sample) -> None:
        self.counts["negatives"] += 1
        user.pass_over(sample.sample_id, item)
        if item not in user.seen:  # an older exposure does not make an item seen anew
            user.see(item, self._seen_items)

    def _counts_before(self, observed: Observed) -> TrendCounts:
        known = len(self.catalogue) - len(observed.discovered)
        return self.trend.counts(known)

    def _probe(self, user: User, item: int, before: TrendCounts) -> None:
        seen = ints(user.seen)
        seen = seen[seen < len(before.positives)]
        self.probes[self.replay.appended] = Probe(item, seen, before)

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
        self.replay.append(
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
        return {
            "catalogue": self.catalogue.state(),
            "users": self.users.state(),
            "trend": self.trend.state(),
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
        self.frequency.load(state["frequency"])
        self.replay.load(state["replay"])
        self._samples.load(state["samples"])
        self.counts = Counter(unpacked(state["counts"], dict[str, int]))
        self._sources = unpacked(state["sources"], dict[int, int])


_COUNTED = {"duplicate": "duplicates", "refused_negative": "late_positives"}

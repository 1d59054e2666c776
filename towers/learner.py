"""The learner: samples in, user records and item vectors out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from schemas.events import Item
from schemas.samples import SampleBatch
from schemas.score import blended
from schemas.settings import Settings
from schemas.vectors import ANYONE, ContextRecord, ItemVector, UserRecord, pack_vector
from towers.arrays import Floats, Ints, State, grown, ints
from towers.batches import BatchMaker
from towers.judge import Judge
from towers.listing import named
from towers.model import TwoTower
from towers.observer import Observer
from towers.pieces import Pieces, finished
from towers.publisher import Current
from towers.related import view
from towers.trend import TrendCounts
from towers.user_inputs import told_of, user_inputs
from towers.user_scan import UserScan
from towers.users import User
from towers.warm_start import COLD, WarmStart

_LOSS_WINDOW = 100  # steps that the running loss looks back on, about


class StepReport(NamedTuple):
    """What one learning step did."""

    loss: float
    learned: int
    """New positives; replayed ones are not counted."""
    ranks: Ints
    """Rank of each positive that was ranked before it was learned; 0 is the top."""


class Learner:
    """Everything that the trainer knows, without Kafka, Redis or a clock.

    Deterministic: the same calls with the same settings give the same vectors, also across `state`
    and `load`. Item rows count up from 0 in order of discovery.
    """

    def __init__(self, settings: Settings, warm: WarmStart = COLD) -> None:
        self._settings = settings.towers
        self.warm = warm
        self._model = TwoTower(settings.towers, settings.features, warm.start)
        self.world = Observer(settings, self._model)
        self._batches = BatchMaker(settings.towers)
        self._scan = UserScan(self.world.users, settings.trainer.scan_eps)
        self._judge = Judge(settings.towers, self.world.related.pairs)
        self._vectors: Floats = np.zeros((0, settings.towers.dim), np.float32)
        self._changed: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._loss = math.nan
        self.step = 0

    def put_items(self, items: Iterable[Item]) -> None:
        """Take item records over, the last one of an id last; each is recallable at once."""
        rows = []
        for item in items:
            row = self.world.catalogue.row(item.item_id)
            if row is None:
                row = self.world.catalogue.discover(item.item_id)
            self._model.items.put(row, item.item_id, item.features)
            rows.append(self.world.catalogue.describe(item))
        self._refresh(np.unique(np.array(rows, np.int64)))

    def delete_items(self, item_ids: Iterable[str]) -> None:
        """Take items out of recall; unknown ones are ignored."""
        for item_id in item_ids:
            row = self.world.catalogue.delete(item_id)
            if row is not None:
                self.mark_changed([row])

    def observe(self, batches: Iterable[SampleBatch]) -> list[str]:
        """Take samples in, and return the users whose record is no longer true.

        Learns nothing: the positives wait for `learn_many`, and what no user's record must wait
        for is left to `settle`.
        """
        observed = self.world.observe(batches)
        self._refresh(np.array(observed.discovered, np.int64))
        self.mark_changed(list(observed.items))
        return observed.users

    def settle(self) -> None:
        """Count which of the items observed occur together; else `learn_many` does."""
        self.world.settle()

    def embed_users(self, user_ids: Iterable[str]) -> Floats:
        """(users, dim): unit vectors as of now, of users whom a sample named, or `ANYONE`."""
        users = [self._user(user_id) for user_id in user_ids]
        vectors: Floats = self._model.encode(user_inputs(users, self._settings.history)).numpy()
        return vectors

    def embed_items(self, item_ids: Iterable[str]) -> Floats:
        """(items, dim): unit vectors as of now, of known items. Raises KeyError."""
        rows = ints(self.world.catalogue.known_row(item_id) for item_id in item_ids)
        vectors: Floats = self._model.items.vectors(rows).numpy()
        return vectors

    def rank(self, user_id: str, most: int) -> list[tuple[str, float]]:
        """The best items for the user, best first, with their scores: what recall should find.

        Of all that can be served and that the user has not seen, by the score that recall ranks
        by, exactly and as of now.
        """
        world, user = self.world, self._user(user_id)
        items = len(world.catalogue)
        scores = blended(
            self.vectors @ self.embed_users([user_id])[0],
            self._judge.blend.scale,
            self._judge.blend.weights(),
            dict(zip(world.trend.names, world.trend.counts(items).biases(), strict=True)),
            world.related.marks(view(user), items),
        )
        hidden = ~world.catalogue.servable
        hidden[ints(user.seen)] = True
        scores[hidden] = -np.inf
        best = np.argsort(-scores, kind="stable")[: min(most, items - int(hidden.sum()))]
        return [(world.catalogue.ids[row], float(scores[row])) for row in best.tolist()]

    def user_records(self, user_ids: list[str], now_ms: int) -> list[tuple[str, UserRecord]]:
        """The users' records as of now; a user whom no sample named is left out.

        `ANYONE` has the record of a user of whom nothing is known.
        """
        known = [one for one in user_ids if one in self.world.users or one == ANYONE]
        names, related, blend = self.world.catalogue.ids, self.world.related, self._judge.blend
        made = partial(
            UserRecord,
            epoch=self._settings.epoch,
            step=self.step,
            scale=blend.scale,
            weights=blend.weights(),
            trend_clock=float(self.world.trend.clock),
            refreshed_ms=now_ms,
        )
        users = [self._user(one) for one in known]
        told = told_of(users, self.embed_users(known), related, names)
        records = [(user_id, made(**own)) for user_id, own in zip(known, told, strict=True)]
        for user, (_, record) in zip(users, records, strict=True):
            user.told = record.vector
        return records

    def users_behind(self, most: int) -> list[str]:
        """Those of the next `most` users, of all in turn, whom the model has left behind."""
        return self._scan.behind(most, self.embed_users)

    def take_forgotten_users(self) -> list[str]:
        """Users who had to make room for others since the last call."""
        forgotten = self.world.users.take_forgotten()
        self.world.counts["forgotten_users"] += len(forgotten)
        return forgotten

    def take_changed_contexts(self) -> list[str]:
        """Values of a context, as `feature=value`, whose records are no longer true."""
        return self.world.related.take_changed_contexts()

    def context_records(self, values: list[str], now_ms: int) -> list[tuple[str, ContextRecord]]:
        """The records of these values as of now, whether anything is known of them or not."""
        names, related = self.world.catalogue.ids, self.world.related
        epoch, step = self._settings.epoch, self.step
        found = ((value, named(names, *related.within(value))) for value in values)
        return [(value, ContextRecord(epoch, step, items, now_ms)) for value, items in found]

    def learn_many(self, batch: int, replay: float = 1.0) -> StepReport | None:
        """One step on the oldest pending positives, at most `batch`; None if none is pending.

        Replayed ones ride along: a share `replay` of `towers.replay` for each.
        """
        return finished(self.learning(batch, replay))

    def learning(self, batch: int, replay: float = 1.0) -> Pieces[StepReport | None]:
        """`learn_many` in pieces of few milliseconds.

        In between, samples may be observed, items put and records made; no other step begun, and
        no checkpoint made.
        """
        yield from self.world.settling()
        prepared = self._batches.next(self.world, batch, replay)
        if prepared is None:
            return None
        new, rows = prepared
        outcome = yield from self._model.learning(rows)
        self.step += 1
        yield
        # By the item vectors from before this step.
        found = yield from self._ranking(new, outcome.users)
        share = max(1 / self.step, 1 / _LOSS_WINDOW)
        past = outcome.loss if math.isnan(self._loss) else self._loss
        self._loss = past + share * (outcome.loss - past)
        self._refresh(outcome.touched)
        return StepReport(outcome.loss, len(new), found)

    @property
    def pending(self) -> int:
        """Positives that wait for `learn_many`."""
        return self.world.replay.pending

    def refresh(self, rows: Ints) -> None:
        """Bring `vectors` up to date for items that a step moved only through shared features."""
        if len(rows):  # mostly there is none, and none costs as much as a few
            self._vectors[rows] = self._model.items.vectors(rows).numpy()

    @property
    def vectors(self) -> Floats:
        """(items, dim): unit vectors, as of each item's last refresh."""
        return self._vectors[: len(self.world.catalogue)]

    def current(self) -> Current:
        """All items as they should be published."""
        catalogue = self.world.catalogue
        counts = self.world.trend.counts(len(catalogue))
        weights = self._judge.blend.weights()
        return Current(
            self.vectors,
            counts,
            np.array([weights.get(name, 0.0) for name in self.world.trend.names]),
            catalogue.versions,
            catalogue.alive,
        )

    @property
    def changed(self) -> Ints:
        """Items that moved, came, changed or went since they were last taken."""
        return np.flatnonzero(self._changed)

    def take_changed(self) -> Ints:
        """`changed`, which begins anew."""
        rows = self.changed
        self._changed[rows] = False
        return rows

    def mark_changed(self, rows: Ints | list[int]) -> None:
        """`take_changed` gives these too."""
        self._changed = grown(self._changed, len(self.world.catalogue))
        self._changed[rows] = True

    def item_vectors(self, rows: Ints, counts: TrendCounts, now_ms: int) -> Iterator[ItemVector]:
        """The messages that publish items, from `vectors` and `counts`; made as they are asked for.

        The vectors are those of the call.
        """
        catalogue = self.world.catalogue
        by_name = counts.named(rows, self.world.trend.names)
        vectors = self._vectors[rows]
        for row, vector, own in zip(rows.tolist(), vectors, by_name, strict=True):
            yield ItemVector(
                item_id=catalogue.ids[row],
                epoch=self._settings.epoch,
                step=self.step,
                vector=pack_vector(vector),
                trend_clock=counts.clock,
                counts=own,
                attributes=catalogue.attributes(row),
                available=catalogue.available(row),
                event_ts_ms=catalogue.event_ts_ms(row),
                published_ms=now_ms,
            )

    def figures(self) -> dict[str, float]:
        """Counters and gauges by name."""
        kinds = ("positives", "signals", "negatives", "duplicates", "late_positives")
        counted = {kind: float(self.world.counts[kind]) for kind in kinds}
        return counted | {
            "step": float(self.step),
            "users": float(len(self.world.users)),
            "users_behind": float(self._scan.found),
            "forgotten_users": float(self.world.counts["forgotten_users"]),
            "items": float(self.world.catalogue.alive.sum()),
            "pending": float(self.pending),
            "overrun": float(self.world.replay.overrun),
            "unreplayed": float(self._batches.unreplayed),
            "unusable_features": float(self._model.unusable_features),
            "loss": self._loss,
            **self._judge.figures(),
        }

    def _user(self, user_id: str) -> User:
        return User() if user_id == ANYONE else self.world.users[user_id]

    def _ranking(self, new: Ints, users: Tensor) -> Pieces[Ints]:
        probes, rows = [], []
        for row, number in enumerate(new.tolist()):
            probe = self.world.probes.pop(number, None)
            if probe is not None:
                probes.append(probe)
                rows.append(row)
        catalogue = self.world.catalogue
        return self._judge.judging(probes, users[rows], self.vectors, catalogue.servable)

    def _refresh(self, rows: Ints) -> None:
        self._vectors = grown(self._vectors, len(self.world.catalogue))
        self.refresh(rows)
        self.mark_changed(rows)

    def state(self) -> State:
        """For a checkpoint: copies, which no later call changes."""
        return {
            "step": self.step,
            "loss": self._loss,
            "model": self._model.state(),
            "world": self.world.state(),
            "batches": self._batches.state(),
            "judge": self._judge.state(),
        }

    def load(self, state: State) -> None:
        """Become what `state` said; every item counts as changed."""
        self.step, self._loss = state["step"], state["loss"]
        self._model.load(state["model"])
        self.world.load(state["world"])
        self._batches.load(state["batches"])
        self._judge.load(state["judge"])
        self._refresh(np.arange(len(self.world.catalogue)))

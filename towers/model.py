"""The two towers together: encodes users and takes one learning step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.settings import FeatureSettings, TowerSettings
from towers.arrays import Bags, Floats, Ints, State, first_bags
from towers.history import history_means, history_weights
from towers.item_tower import ItemTower
from towers.loss import LOSSES, Contest
from towers.meeting import by_cosine, by_product
from towers.pieces import Pieces, finished
from towers.user_tower import make_user_tower
from towers.vocabulary import Starts, Vocabulary


class UserInputs(NamedTuple):
    """What the user tower reads of several users."""

    latest: Ints
    """(users, history) item rows, newest first; any row where `actions` is 0."""
    actions: Floats
    """(users, history) weights of the actions."""
    features: Bags


class Batch(NamedTuple):
    """One learning step's positives and what they are set against."""

    new: int
    """The first so many rows are learned for the first time."""
    users: UserInputs
    targets: Ints
    """(rows,) item rows."""
    weights: Floats
    """(rows,)"""
    uniform: Ints
    """(uniform,) item rows drawn at random."""
    log_counts: Floats
    """(rows + uniform,) log of the expected count of each column."""
    passed: Ints
    """(rows, extra) items that the same user passed over."""
    passed_absent: npt.NDArray[np.bool_]
    """(rows, extra) true where there is none."""


class Outcome(NamedTuple):
    """What a step did."""

    loss: float
    users: Tensor
    """(rows, dim): unit vectors of the users before the step."""
    touched: Ints
    """Items whose own rows may have moved."""


class TwoTower:
    """Users and items meet in one score only; histories and targets share the items' rows."""

    def __init__(
        self,
        settings: TowerSettings,
        features: FeatureSettings,
        starts: Starts = lambda item_id: None,
    ) -> None:
        self._settings = settings
        seed = settings.seed
        self._meeting = by_product() if settings.user_tower == "dot" else by_cosine()
        self.items = ItemTower(settings, features, self._meeting, seed, starts)
        self.user_features = Vocabulary(settings, features.users, features.text_buckets, seed + 2)
        self._user_tower = make_user_tower(settings, seed + 3)
        self._dense = nn.ModuleList([self._user_tower, self.items.layers])
        self._adam = torch.optim.Adam(self._dense.parameters(), settings.dense_lr, fused=True)
        self._positives = 0  # learned so far

    @property
    def unusable_features(self) -> int:
        """Feature values of items and users that could not be read."""
        return self.items.unusable_features + self.user_features.reader.unusable

    @torch.no_grad()
    def encode(self, users: UserInputs) -> Tensor:
        """(users, dim): unit vectors."""
        shares = history_weights(users.actions, self._settings.history_decay)  # (users, history)
        there = shares > 0
        history = self.items.mixtures(users.latest[there], shares[there], there.sum(axis=1))
        return F.normalize(self._users(history, self.user_features.sums(users.features)))

    def learn(self, batch: Batch) -> Outcome:
        """One step on every row that the batch reads."""
        return finished(self.learning(batch))

    def learning(self, batch: Batch) -> Pieces[Outcome]:
        """`learn` in pieces; in between, users may be encoded and items put."""
        self._count(batch)
        users = batch.users
        column_items = np.concatenate([batch.targets, batch.uniform])  # (columns,)
        items, places = self._distinct(users.latest, column_items, batch.passed)
        read = self.items.sums_to_learn(items)
        features, feature_leaf = self.user_features.sums_to_learn(users.features)  # (rows, dim)
        history = self._history(read.sums, places[users.latest], users.actions)  # (rows, dim)
        encoded = self._users(history, features)  # (rows, dim)
        chosen = np.concatenate([column_items, batch.passed.ravel()])  # columns, then passed
        vectors = self.items.met(read.sums.index_select(0, torch.from_numpy(places[chosen])))
        columns, passed = vectors[: len(column_items)], vectors[len(column_items) :]
        excluded = batch.targets[:, None] == column_items  # (rows, columns)
        if not self._settings.in_batch_negatives:
            excluded[:, : len(batch.targets)] = True
        contest = Contest(
            encoded,
            columns,
            torch.from_numpy(batch.log_counts),
            torch.from_numpy(excluded),
            torch.from_numpy(batch.weights),
            passed.view(*batch.passed.shape, self._settings.dim),  # (rows, extra, dim)
            torch.from_numpy(batch.passed_absent),
        )
        loss = LOSSES[self._settings.objective](contest, self._settings)
        yield
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        yield
        self._adam.step()
        self.items.learn(read)
        self.user_features.learn(feature_leaf)
        return Outcome(loss.item(), F.normalize(encoded.detach()), items)

    def _users(self, history: Tensor, features: Tensor) -> Tensor:
        return self._meeting.users(self._user_tower(history, features))

    def _count(self, batch: Batch) -> None:
        self._positives += batch.new
        self.items.hit(batch.targets[: batch.new], self._positives)
        self.user_features.hit(first_bags(batch.users.features, batch.new), self._positives)

    def _history(self, sums: Tensor, places: Ints, actions: Floats) -> Tensor:
        weights = history_weights(actions, self._settings.history_decay)
        return history_means(sums, places, weights)

    def _distinct(self, *rows: Ints) -> tuple[Ints, Ints]:
        """The distinct items of all, and the place of each among them, by item row."""
        end = 1 + max(int(some.max(initial=0)) for some in rows)
        used = np.zeros(end, np.bool_)
        for some in rows:
            used[some] = True
        items = np.flatnonzero(used)
        places = np.zeros(end, np.int64)
        places[items] = np.arange(len(items))
        return items, places

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "items": self.items.state(),
            "user_features": self.user_features.state(),
            "dense": {name: value.clone() for name, value in self._dense.state_dict().items()},
            "positives": self._positives,
            "adam": _copied(self._adam.state_dict()),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.items.load(state["items"])
        self.user_features.load(state["user_features"])
        self._dense.load_state_dict(state["dense"])
        self._positives = state["positives"]
        self._adam.load_state_dict(_copied(state["adam"]))


def _copied(state: State) -> State:
    """Optimiser state whose tensors no later step changes."""
    moments = {
        index: {name: value.clone() for name, value in entry.items()}
        for index, entry in state["state"].items()
    }
    return {"state": moments, "param_groups": state["param_groups"]}

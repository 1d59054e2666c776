"""The two towers together: encodes users and takes one learning step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from schemas.settings import FeatureSettings, TowerSettings
from towers.arrays import Bags, Floats, Ints, State
from towers.item_tower import ItemTower
from towers.loss import listwise_loss
from towers.user_tower import UserTower, history_means, history_weights
from towers.vocabulary import Vocabulary


class UserInputs(NamedTuple):
    """What the user tower reads of several users."""

    latest: Ints
    """(users, history) item rows, newest first; any row where `actions` is 0."""
    actions: Floats
    """(users, history) weights of the actions."""
    features: Bags


class Batch(NamedTuple):
    """One learning step's positives and what they are set against."""

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
    """(rows, dim): user vectors before the step."""
    touched: Ints
    """Items whose own rows may have moved."""


class TwoTower:
    """User and item meet in one cosine; history and targets share the item tower's rows."""

    def __init__(self, settings: TowerSettings, features: FeatureSettings) -> None:
        self._settings = settings
        seed = settings.seed
        self.items = ItemTower(settings, features.items, seed)
        self.user_features = Vocabulary(features.users, settings.dim, settings.feature_lr, seed + 2)
        self._user_tower = UserTower(settings.dim, settings.hidden, seed + 3)
        self._adam = torch.optim.Adam(self._user_tower.parameters(), settings.dense_lr, fused=True)

    @property
    def unusable_features(self) -> int:
        """Feature values of items and users that could not be read."""
        return self.items.unusable_features + self.user_features.reader.unusable

    @torch.no_grad()
    def encode(self, users: UserInputs) -> Tensor:
        """(users, dim): unit vectors."""
        items, places = self._distinct(users.latest)
        history = self._history(self.items.sums(items), places[users.latest], users.actions)
        vectors: Tensor = self._user_tower(history + self.user_features.sums(users.features))
        return vectors  # (users, dim)

    def learn(self, batch: Batch) -> Outcome:
        """One step on every row that the batch reads."""
        users = batch.users
        column_items = np.concatenate([batch.targets, batch.uniform])  # (columns,)
        items, places = self._distinct(users.latest, column_items, batch.passed)
        read = self.items.sums_to_learn(items)
        features, feature_rows, feature_leaf = self.user_features.sums_to_learn(users.features)
        history = self._history(read.sums, places[users.latest], users.actions)  # (rows, dim)
        encoded: Tensor = self._user_tower(history + features)  # (rows, dim)
        vectors = F.normalize(read.sums)  # (items, dim)
        loss = listwise_loss(
            encoded,
            vectors[torch.from_numpy(places[column_items])],  # (columns, dim)
            torch.from_numpy(batch.log_counts),
            torch.from_numpy(batch.targets[:, None] == column_items),  # (rows, columns)
            torch.from_numpy(batch.weights),
            self._settings.tau,
            vectors[torch.from_numpy(places[batch.passed])],  # (rows, extra, dim)
            torch.from_numpy(batch.passed_absent),
        )
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        self._adam.step()
        self.items.learn(read)
        self.user_features.table.learn(feature_rows, feature_leaf)
        return Outcome(loss.item(), encoded.detach(), items)

    def _history(self, sums: Tensor, places: Ints, actions: Floats) -> Tensor:
        weights = history_weights(actions, self._settings.history_decay)
        return history_means(sums, places, weights)

    def _distinct(self, *rows: Ints) -> tuple[Ints, Ints]:
        """The distinct items of all, and the place of each among them, by item row."""
        used = np.zeros(len(self.items), np.bool_)
        for some in rows:
            used[some] = True
        items = np.flatnonzero(used)
        places = np.zeros(len(self.items), np.int64)
        places[items] = np.arange(len(items))
        return items, places

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "items": self.items.state(),
            "user_features": self.user_features.state(),
            "user_tower": {k: v.clone() for k, v in self._user_tower.state_dict().items()},
            "adam": _copied(self._adam.state_dict()),
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self.items.load(state["items"])
        self.user_features.load(state["user_features"])
        self._user_tower.load_state_dict(state["user_tower"])
        self._adam.load_state_dict(_copied(state["adam"]))


def _copied(state: State) -> State:
    """Optimiser state whose tensors no later step changes."""
    moments = {
        index: {name: value.clone() for name, value in entry.items()}
        for index, entry in state["state"].items()
    }
    return {"state": moments, "param_groups": state["param_groups"]}

"""Which items to publish: those whose published state is no longer what the model would say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.score import bias, count_names, faded
from schemas.settings import Settings
from towers.arrays import Doubles, Floats, Ints, State, array_of, grown, tensor_of
from towers.trend import TrendCounts

OTHERWISE = -1
"""Version of a published item whose attributes are not those that we know."""
_UNPUBLISHED = 0


class Current(NamedTuple):
    """All items as the learner knows them; each array counts items first."""

    vectors: Floats
    """(items, dim), unit length"""
    counts: TrendCounts
    weights: Doubles
    """(counts,): of each count's signal in the score"""
    versions: Ints
    """At least 1, and another one whenever attributes or availability changed."""
    alive: npt.NDArray[np.bool_]


class Publisher:
    """The published state of each item, and what differs from it by more than is allowed.

    Drift is 1 - cosine of the vector and the published one. An item is due when its drift is
    above eps, when its counts give it a score more than `bias_step` away from what the published
    ones, decayed to the same clock, give it, or when its version is another; a deleted one, while
    published.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.trainer
        half_lives = settings.towers.trend_half_lives
        self.names = count_names(half_lives)
        """Of the counts."""
        self._half_lives: Doubles = np.array([*half_lives, *half_lives], np.float64)  # (counts,)
        self._vectors: Floats = np.zeros((0, settings.towers.dim), np.float32)
        self._counts: Doubles = np.zeros((0, len(self.names)))
        self._clocks: Doubles = np.zeros(0)
        self._versions: Ints = np.zeros(0, np.int64)
        self._cursor = 0
        self._scan_drift = 0.0
        self.drift_max = 0.0
        """Largest drift of a published item that the last whole scan found."""

    @property
    def published(self) -> int:
        """Items that the index has."""
        return int((self._versions != _UNPUBLISHED).sum())

    def next_scan(self, items: int, steps: int = 1) -> Ints:
        """The items to look at after so many steps; a scan is over in `scan_every_steps` of them.

        A slice at a time: the steps in between stay short, and the bound is the same.
        """
        if self._cursor >= items:
            self._cursor = 0
            self.drift_max, self._scan_drift = self._scan_drift, 0.0
        size = steps * -(-items // self._settings.scan_every_steps)
        rows = np.arange(self._cursor, min(self._cursor + size, items))
        self._cursor += size
        return rows

    def due_in_scan(self, rows: Ints, now: Current) -> Ints:
        """Those of the scanned rows that are due by `scan_eps`."""
        drift = self._drift(rows, now)
        if len(drift):
            self._scan_drift = max(self._scan_drift, float(drift.max()))
        return self._due(rows, now, drift, self._settings.scan_eps)

    def due(self, rows: Ints, now: Current) -> Ints:
        """Those of the touched rows that are due by `publish_eps`, most urgent first.

        What the index has never seen, or seen otherwise, comes before what drifted.
        """
        return self._due(rows, now, self._drift(rows, now), self._settings.publish_eps)

    def told_otherwise(self, rows: Ints, now: Current) -> Ints:
        """Those of the rows that the index has never seen, or seen otherwise than by drift."""
        self._reserve(len(now.versions))
        changed: Ints = rows[self._changed(rows, now)]
        return changed

    def mark(self, rows: Ints, now: Current) -> None:
        """The rows were published as they are now; a deleted one as deleted."""
        self._reserve(len(now.versions))
        self._vectors[rows] = now.vectors[rows]
        self._counts[rows] = now.counts.at(rows)
        self._clocks[rows] = now.counts.clock
        self._versions[rows] = np.where(now.alive[rows], now.versions[rows], _UNPUBLISHED)

    def found(
        self, row: int, vector: Floats, counts: Mapping[str, float], clock: float, version: int
    ) -> None:
        """The row was found published like this."""
        self._reserve(row + 1)
        self._vectors[row] = vector
        self._counts[row] = [counts.get(name, 0.0) for name in self.names]
        self._clocks[row] = clock
        self._versions[row] = version

    def found_deleted(self, row: int) -> None:
        """The row was found deleted."""
        self._reserve(row + 1)
        self._versions[row] = _UNPUBLISHED

    def forget(self, rows: Ints) -> None:
        """Nobody knows what of the rows is published: they are due."""
        self._reserve(int(rows.max(initial=-1)) + 1)
        self._versions[rows] = OTHERWISE

    def forget_all(self) -> None:
        """Nothing is known to be published any more."""
        self._versions[:] = _UNPUBLISHED

    def _due(self, rows: Ints, now: Current, drift: Doubles, eps: float) -> Ints:
        changed = self._changed(rows, now)
        drifted = now.alive[rows] & ((drift > eps) | self._moved(rows, now))
        due = changed | drifted
        urgency = np.where(changed, np.inf, drift)[due]
        ordered: Ints = rows[due][np.argsort(-urgency, kind="stable")]
        return ordered

    def _changed(self, rows: Ints, now: Current) -> npt.NDArray[np.bool_]:
        versions = self._versions[rows]
        differs, there = versions != now.versions[rows], versions != _UNPUBLISHED
        changed: npt.NDArray[np.bool_] = np.where(now.alive[rows], differs, there)
        return changed

    def _drift(self, rows: Ints, now: Current) -> Doubles:
        """(rows,): of published, living items; 0 of others."""
        self._reserve(len(now.versions))
        cosines = np.einsum("rd,rd->r", now.vectors[rows], self._vectors[rows])
        relevant = now.alive[rows] & (self._versions[rows] != _UNPUBLISHED)
        return np.where(relevant, 1.0 - cosines, 0.0)

    def _moved(self, rows: Ints, now: Current) -> npt.NDArray[np.bool_]:
        ages = now.counts.clock - self._clocks[rows]
        old = faded(self._counts[rows], ages[:, None], self._half_lives)  # (rows, counts)
        change = (bias(now.counts.at(rows)) - bias(old)) @ now.weights
        moved: npt.NDArray[np.bool_] = np.abs(change) > self._settings.bias_step
        return moved

    def _reserve(self, items: int) -> None:
        if items > len(self._versions):
            for name in ("_vectors", "_counts", "_clocks", "_versions"):
                setattr(self, name, grown(getattr(self, name), items))

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "vectors": tensor_of(self._vectors),
            "counts": tensor_of(self._counts),
            "clocks": tensor_of(self._clocks),
            "versions": tensor_of(self._versions),
            "cursor": self._cursor,
            "scan_drift": self._scan_drift,
            "drift_max": self.drift_max,
        }

    def load(self, state: State) -> None:
        """Become what `state` said."""
        self._vectors = array_of(state["vectors"])
        self._counts = array_of(state["counts"])
        self._clocks = array_of(state["clocks"])
        self._versions = array_of(state["versions"])
        self._cursor, self._scan_drift = state["cursor"], state["scan_drift"]
        self.drift_max = state["drift_max"]

"""What recall could know when a positive came: to rank it, and to learn the score's weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.score import EXPOSURES, bias, blended, count_name, unbiased
from schemas.settings import TowerSettings
from towers.arrays import Doubles, Floats, Ints
from towers.blend import COSINE, BlendWeights
from towers.pairs import Past
from towers.related import RowMarks

_HARDEST = 64
_UNIFORM = 128


class Lesson(NamedTuple):
    """What the score had wrong of candidates that the user had not seen."""

    chosen: Ints
    """(candidates,), some perhaps several times."""
    surprises: Doubles
    """(candidates,): how much likelier each was held to be than it was, times the action's
    weight."""


class Probe(NamedTuple):
    """One positive and the items known then; an item that came later can't be recalled."""

    number: int
    """Of the positive in the replay buffer."""
    item: int
    weight: float
    seen: Ints
    """Items that the user had seen, of those known."""
    taken: Ints
    """Items that the user had taken or looked at lately, of those known."""
    names: list[str]
    """Of the counts."""
    biases: Floats
    """(counts, items); positives of one poll share them."""
    own: Floats
    """(counts,), of the positive's item: without the exposure that led to it."""
    marks: RowMarks
    past: Past
    """What pairs are learned of."""

    @property
    def known(self) -> int:
        """Items known then."""
        return int(self.biases.shape[1])

    def scores(self, cosines: Floats, blend: BlendWeights) -> Doubles:
        """(known,): what the index would rank by. cosines: (known,)."""
        biases = dict(zip(self.names, self.biases, strict=True))
        weights = blend.weights()
        scores = blended(cosines, blend.scale, weights, biases, self.marks)
        more = self.own - self.biases[:, self.item]  # (counts,)
        scores[self.item] += sum(
            weights[name] * more[place] for place, name in enumerate(self.names) if name in weights
        )
        return scores

    def rank(self, scores: Doubles, servable: npt.NDArray[np.bool_]) -> int:
        """How many items score at least as well as the positive, which is not counted.

        Out of the items that can be served and that the user had not seen; the seen ones compete
        too where the positive is one of them, as where it is asked for again.
        """
        candidates = servable[: self.known].copy()
        if self.item not in self.seen:
            candidates[self.seen] = False
        candidates[self.item] = False
        ahead: Ints = np.flatnonzero(scores[candidates] >= scores[self.item])
        return len(ahead)

    def teach(
        self,
        blend: BlendWeights,
        cosines: Floats,
        scores: Doubles,
        servable: npt.NDArray[np.bool_],
        settings: TowerSettings,
    ) -> Lesson:
        """Learn the weights from this positive, against what `blend_against` says.

        Of the catalogue the hardest, and a sample that stands for all the others (importance
        sampling), so that the weights are those of a softmax over all. What the user saw and
        passed over is left out then, as recall leaves it out; what was taken or looked at stays,
        so that data says whether it returns.

        Against what was shown, each counts as often as it was shown to anyone: its share is the log
        of its slowest count of exposures and the prior, which is its bias but for a constant.
        """
        unseen = np.ones(self.known, np.bool_)
        unseen[self.seen] = False
        candidates = servable[: self.known] & unseen
        candidates[self.taken] = servable[self.taken]
        candidates[self.item] = False
        rows = np.flatnonzero(candidates)
        if not len(rows):
            return _NOTHING
        random = np.random.default_rng([settings.seed, self.number])
        offsets, own = np.zeros(self.known), 0.0
        slowest = count_name(EXPOSURES, max(settings.trend_half_lives, default=1.0))
        if settings.blend_against == "shown" and slowest in self.names:
            place = self.names.index(slowest)
            offsets = self.biases[place].astype(np.float64)
            own = float(bias(unbiased(self.own[place]) + 1))  # its request showed it, too
        chosen, shares = _sample(rows, scores[rows] + offsets[rows], random)
        shares = np.append(shares + offsets[chosen], own)
        chosen = np.append(chosen, self.item)
        signals = {COSINE: cosines[chosen].astype(np.float64)}
        biases = self.biases[:, chosen].astype(np.float64)  # (counts, chosen)
        biases[:, -1] = self.own
        signals.update(zip(self.names, biases, strict=True))
        dense = np.zeros(self.known)
        for name, (places, values) in self.marks.items():
            dense[places] = values
            signals[name] = dense[chosen]
            dense[places] = 0.0
        surprises = blend.learn(signals, shares, len(chosen) - 1, self.weight)
        told = unseen[chosen]
        return Lesson(chosen[told], self.weight * surprises[told])


_NOTHING = Lesson(np.zeros(0, np.int64), np.zeros(0))


def _sample(rows: Ints, scores: Doubles, random: np.random.Generator) -> tuple[Ints, Doubles]:
    """Some of the rows: those of the highest scores, and a uniform sample of the others; beside
    each the log of how many rows it stands for.
    """
    if len(rows) <= _HARDEST + _UNIFORM:
        return rows, np.zeros(len(rows))
    order = np.argpartition(-scores, _HARDEST)
    hardest, others = rows[order[:_HARDEST]], rows[order[_HARDEST:]]
    drawn = others[random.integers(len(others), size=_UNIFORM)]
    share = np.log(len(others) / _UNIFORM)
    return np.concatenate([hardest, drawn]), np.repeat([0.0, share], [_HARDEST, _UNIFORM])

"""The weights of the score, learned online from which of the candidates was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.score import PAIRS, RECENT, SIMILAR, TAKEN, TOGETHER, first_weights
from schemas.settings import TowerSettings
from towers.arrays import Doubles, State, array_of, packed, tensor_of, unpacked

COSINE = "cosine"

_MEMORY = 2_000  # lists that the weights look back on, about
_CERTAINTY = 1.0  # information that a weight begins with: signals are near 1, so about one list
_LONGEST = 1.0  # no list moves a weight further


class BlendWeights:
    """Weights by signal, each list of candidates a step of the online natural gradient.

    The score's softmax says which candidate is taken. A step divides the gradient of -log of that
    probability by the information so far: the sum of the covariances of the signals under the
    softmax, which for a softmax is its Hessian and its Fisher information (Amari, 1998). It fades,
    so that the weights follow a model that goes on learning. No rate is to be tuned, and signals
    that say the same share their weight.
    """

    def __init__(self, settings: TowerSettings) -> None:
        self.learns = settings.learn_blend
        """False where the weights stay as they begin, so that nobody need prepare a lesson."""
        names = [COSINE, SIMILAR, TOGETHER, PAIRS, RECENT, TAKEN]
        self._places = {name: place for place, name in enumerate(names)}
        self._weights: Doubles = np.zeros(len(names))
        self._information: Doubles = np.zeros((len(names), len(names)))
        for name, weight in first_weights(settings).items():
            [place] = self.places([name])
            self._weights[place] = weight
        self._weights[self._places[COSINE]] = 1 / settings.tau

    def places(self, names: Sequence[str]) -> list[int]:
        """Place of each signal among the weights; an unknown one comes to be, with weight 0."""
        for name in names:
            if name not in self._places:
                self._places[name] = len(self._places)
                self._weights = np.pad(self._weights, (0, 1))
                self._information = np.pad(self._information, ((0, 1), (0, 1)))
        return [self._places[name] for name in names]

    @property
    def scale(self) -> float:
        """Weight of the cosine."""
        return float(self._weights[self._places[COSINE]])

    def weights(self) -> dict[str, float]:
        """Weights of the other signals, by name."""
        found = zip(self._places, self._weights.tolist(), strict=True)
        return {name: weight for name, weight in found if name != COSINE}

    def learn(
        self,
        signals: Mapping[str, Doubles],
        shares: Doubles,
        target: int,
        importance: float = 1.0,
    ) -> Doubles:
        """One of the candidates was taken: the one at `target`.

        signals: (candidates,) by name; one that is missing is 0. shares: (candidates,), log of how
        many items of the catalogue each candidate stands for. Returns what the score had wrong,
        (candidates,): the probability of each, less 1 for the one taken; where the weights are not
        learned, 0, as nothing is.
        """
        if not self.learns:
            return np.zeros(len(shares))
        places = self.places(list(signals))
        rows = np.stack(list(signals.values()))  # (signals, candidates)
        likely = chances(self._weights[places], rows, shares)
        gradient, information = softmax_terms(likely, rows, target)
        square = np.ix_(places, places)
        self._information *= 1 - 1 / _MEMORY
        self._information[square] += importance * information
        inverse = self._information[square] + _CERTAINTY * np.eye(len(places))
        step = np.linalg.solve(inverse, importance * gradient)
        self._weights[places] -= step * min(1.0, _LONGEST / max(np.abs(step).max(), 1e-12))
        likely[target] -= 1
        return likely

    def state(self) -> State:
        """For a checkpoint."""
        return {
            "names": packed(list(self._places)),
            "weights": tensor_of(self._weights),
            "information": tensor_of(self._information),
        }

    def load(self, state: State) -> None:
        """Become what `state` said; weights that are not learned stay as the settings have them."""
        if not self.learns:
            return
        names = unpacked(state["names"], list[str])
        self._places = {name: place for place, name in enumerate(names)}
        self._weights = array_of(state["weights"])
        self._information = array_of(state["information"])


def chances(weights: Doubles, signals: Doubles, shares: Doubles) -> Doubles:
    """(candidates,): softmax of weights @ signals + shares; signals: (signals, candidates)."""
    logits = weights @ signals + shares
    found: Doubles = np.exp(logits - logits.max())
    found /= found.sum()
    return found


def softmax_terms(likely: Doubles, signals: Doubles, target: int) -> tuple[Doubles, Doubles]:
    """Gradient (signals,) and Hessian (signals, signals) of -log of the target's chance, by the
    weights that gave these `chances`.
    """
    mean = signals @ likely  # (signals,)
    centred = signals - mean[:, None]
    return mean - signals[:, target], (centred * likely) @ centred.T

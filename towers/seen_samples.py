"""Which samples were learned already, and which clicks were late."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import numpy as np

from schemas.events import EXPOSURE
from schemas.samples import EXPOSURE_NEGATIVE, POSITIVE, Sample, sample_id
from towers.arrays import State, array_of, tensor_of

Verdict = Literal["new", "duplicate", "late_positive", "refused_negative"]
"""`late_positive`: new, and the negative of its exposure must be taken back.
`refused_negative`: the positive of its exposure came before, so it is no negative."""


# What is remembered of a statement; plain numbers, since a checkpoint copies them between clicks.
_DONE = 0
_NEGATIVE = 1  # an exposure that was learned as a negative
_CLICKED = 2  # an exposure that was clicked before its negative came


class SeenSamples:
    """The newest `size` statements; each is new once, while it is remembered."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._marks: OrderedDict[int, int] = OrderedDict()  # oldest first

    def judge(self, sample: Sample) -> Verdict:
        """What to do with the sample, which is remembered from now on."""
        if sample.kind == EXPOSURE_NEGATIVE:
            return self._judge_negative(sample.sample_id)
        if sample.sample_id in self._marks:
            return "duplicate"
        self._remember(sample.sample_id, _DONE)
        return self._judge_exposure_of(sample) if sample.kind == POSITIVE else "new"

    def judge_exposures(self, identities: Sequence[int]) -> list[Verdict]:
        """What to do with each of these exposure negatives, which are remembered from now on."""
        marks = dict.fromkeys(identities, _NEGATIVE)
        if len(marks) == len(identities) and self._marks.keys().isdisjoint(marks):
            self._marks.update(marks)
            self._forget()
            return ["new"] * len(identities)
        return [self._judge_negative(identity) for identity in identities]

    def __len__(self) -> int:
        return len(self._marks)

    def _judge_negative(self, identity: int) -> Verdict:
        mark = self._marks.get(identity)
        if mark == _CLICKED:
            self._marks[identity] = _DONE
            return "refused_negative"
        if mark is not None:
            return "duplicate"
        self._remember(identity, _NEGATIVE)
        return "new"

    def _judge_exposure_of(self, positive: Sample) -> Verdict:
        exposure = exposure_id(positive)
        mark = self._marks.get(exposure)
        if mark is None:
            self._remember(exposure, _CLICKED)
        elif mark == _NEGATIVE:
            self._marks[exposure] = _DONE
            return "late_positive"
        return "new"

    def _remember(self, identity: int, mark: int) -> None:
        self._marks[identity] = mark
        self._forget()

    def _forget(self) -> None:
        while len(self._marks) > self._size:
            self._marks.popitem(last=False)

    def state(self) -> State:
        """For a checkpoint."""
        count = len(self._marks)
        identities = np.fromiter(self._marks, np.uint64, count).view(np.int64)
        marks = np.fromiter(self._marks.values(), np.int8, count)
        return {"identities": tensor_of(identities), "marks": tensor_of(marks)}

    def load(self, state: State) -> None:
        """Become what `state` said."""
        identities = array_of(state["identities"]).view(np.uint64).tolist()
        marks = array_of(state["marks"]).tolist()
        self._marks = OrderedDict(zip(identities, marks, strict=True))


def exposure_id(sample: Sample) -> int:
    """Id of the exposure negative of the sample's request and item."""
    return sample_id(sample.request_id, sample.item_id, EXPOSURE)

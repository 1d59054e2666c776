from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from schemas.samples import SampleBatch
from tests.unit.towers.test_learner import _BATCH, clicks, item, settings, user_vectors
from towers.learner import Learner
from towers.pieces import finished

_KNOWN = 40  # positives learned before


def learner() -> Learner:
    made = Learner(settings())
    made.put_items(item(number) for number in range(300))
    made.observe(clicks(0, _KNOWN))
    while made.learn_many(_BATCH):
        pass
    return made


def pieces_of(batches: Iterable[SampleBatch]) -> int:
    made = learner()
    made.observe(batches)
    return sum(1 for _ in made.learning(_BATCH))


def assert_alike(one: Learner, other: Learner) -> None:
    np.testing.assert_array_equal(one.vectors, other.vectors)
    np.testing.assert_array_equal(user_vectors(one), user_vectors(other))
    np.testing.assert_equal(one.figures(), other.figures())
    for user_id in one.world.users.ids():
        assert one.rank(user_id, 20) == other.rank(user_id, 20)


_FIRST, _THEN = clicks(1, 8), clicks(2, 8)
_PIECES = pieces_of(_FIRST)


def test_a_step_is_of_many_pieces() -> None:
    # Two of eight positives are ranked, as they came in one poll: each a piece before and after.
    assert _PIECES == 2 + 3 + 2


@pytest.mark.parametrize("after", range(_PIECES))
def test_what_is_observed_between_two_pieces_is_as_if_it_came_before_or_after_the_step(
    after: int,
) -> None:
    """Before it, while the batch is not put together yet; after it, from then on."""
    between, other = learner(), learner()
    between.observe(_FIRST)
    for piece, _ in enumerate(between.learning(_BATCH)):
        if piece == after:
            between.observe(_THEN)
            between.user_records(["u1", "u2"], 0)
    other.observe(_FIRST)
    before = after < 2
    if not before:
        finished(other.learning(_BATCH))
    other.observe(_THEN)
    if before:
        finished(other.learning(_BATCH))
    assert between.pending == (0 if before else 8)
    assert_alike(between, other)
    assert (between.learn_many(_BATCH) is None) == before
    other.learn_many(_BATCH)
    assert_alike(between, other)

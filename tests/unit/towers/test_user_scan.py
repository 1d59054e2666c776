from __future__ import annotations

import numpy as np

from schemas.vectors import unpack_vector
from tests.unit.towers.samples import batch, sample
from tests.unit.towers.test_learner import clicks, item, learn_all, settings
from towers.arrays import Floats
from towers.learner import Learner
from towers.user_scan import UserScan
from towers.users import Users

_EPS = 0.02


def test_a_round_finds_whom_the_model_left_behind_and_nobody_else() -> None:
    learner = Learner(settings())
    learner.put_items(item(number) for number in range(300))
    learn_all(learner, clicks(seed=0, count=400))
    ids = learner.world.users.ids()
    then = {user_id: record.vector for user_id, record in learner.user_records(ids, 0)}
    assert _round(learner) == set()  # nothing was learned since
    learn_all(learner, clicks(seed=1, count=96))
    now = dict(zip(ids, learner.embed_users(ids), strict=True))
    cosines = {user_id: float(now[user_id] @ unpack_vector(then[user_id])) for user_id in ids}
    left_behind = {user_id for user_id in ids if 1 - cosines[user_id] > _EPS}
    assert 0 < len(left_behind) < len(ids)
    assert _round(learner) == left_behind
    assert learner.figures()["users_behind"] == len(left_behind)
    learner.user_records(sorted(left_behind), 0)
    assert _round(learner) == set()


def test_whose_record_was_not_made_since_the_start_is_left_behind() -> None:
    learner, again = Learner(settings()), Learner(settings())
    learner.put_items([item(0)])
    learner.observe([batch(*(sample(f"u{number}", "i0", str(number)) for number in range(5)))])
    learner.user_records(learner.world.users.ids(), 0)
    again.load(learner.state())
    assert _round(again) == {"u0", "u1", "u2", "u3", "u4"}


def test_it_goes_round_all_in_turn_and_passes_over_the_forgotten() -> None:
    users = Users(4)
    for name in "abcd":
        users.of(name).told = np.ones(1, np.float32).tobytes()
    asked: list[list[str]] = []

    def embed(user_ids: list[str]) -> Floats:
        asked.append(user_ids)
        return np.full((len(user_ids), 1), 1.0, np.float32)

    scan = UserScan(users, _EPS)
    assert scan.behind(2, embed) == []
    users.of("e")  # in the place of a
    users.of("f")  # in the place of b
    users.of("g")  # in the place of c
    assert scan.behind(2, embed) == []
    assert scan.behind(9, embed) == ["e", "f", "g"]  # the next round, of records never made
    assert scan.behind(0, embed) == []
    assert asked == [["a", "b"], ["d"], ["d"]]


def _round(learner: Learner) -> set[str]:
    users, size = len(learner.world.users), 7
    return {one for _ in range(-(-users // size)) for one in learner.users_behind(size)}

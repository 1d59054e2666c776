"""What every user tower must do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from schemas.settings import TowerSettings
from towers.user_tower import USER_TOWERS, make_user_tower

_DIM = 16

pytestmark = pytest.mark.parametrize("name", sorted(USER_TOWERS))


def settings(name: str) -> TowerSettings:
    return TowerSettings.model_validate({"dim": _DIM, "hidden": 8, "user_tower": name})


def inputs(users: int) -> tuple[Tensor, Tensor]:
    history, features = torch.randn(2, users, _DIM, generator=torch.manual_seed(1))
    return history, features


@torch.no_grad()
def test_begins_near_the_direction_of_the_sum(name: str) -> None:
    history, features = inputs(9)
    found = make_user_tower(settings(name), seed=0)(history, features)
    cosines = torch.nn.functional.cosine_similarity(found, history + features)
    assert (cosines > 0.97).all()


@torch.no_grad()
def test_a_user_of_whom_nothing_is_known_has_a_direction(name: str) -> None:
    nothing = torch.zeros(1, _DIM)
    found = make_user_tower(settings(name), seed=0)(nothing, nothing)
    assert 0.01 < found.norm().item() < 1


@torch.no_grad()
def test_users_of_a_batch_do_not_meet(name: str) -> None:
    history, features = inputs(9)
    tower = _moved(name)
    alone = torch.cat([tower(history[i : i + 1], features[i : i + 1]) for i in range(9)])
    torch.testing.assert_close(tower(history, features), alone, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_autograds_own_check(name: str) -> None:
    tower = _moved(name).double()
    given = [each.double().requires_grad_() for each in inputs(3)]
    assert torch.autograd.gradcheck(tower, given)


@torch.no_grad()
def test_the_same_seed_gives_the_same_tower(name: str) -> None:
    given = inputs(2)
    one, same, other = (make_user_tower(settings(name), seed)(*given) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def _moved(name: str) -> torch.nn.Module:
    """As after some learning: no weight is zero."""
    tower = make_user_tower(settings(name), seed=0)
    generator = torch.manual_seed(2)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return tower

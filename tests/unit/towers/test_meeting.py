from __future__ import annotations

import pytest
import torch

from towers.meeting import Meeting, by_cosine, by_product


@pytest.mark.parametrize("meeting", [by_cosine(), by_product()])
def test_items_are_of_unit_length(meeting: Meeting) -> None:
    items = 3 * torch.randn(50, 8, generator=torch.manual_seed(0)) * torch.rand(50, 1)
    torch.testing.assert_close(meeting.items(items).norm(dim=1), torch.ones(50))


def test_the_largest_product_is_the_largest_cosine_to_the_users_direction() -> None:
    generator = torch.manual_seed(0)
    outputs = torch.randn(50, 8, generator=generator)
    outputs = outputs / 8 * torch.rand(50, 1, generator=generator)  # shorter than 1
    users = 5 * torch.randn(9, 8, generator=generator)
    meeting = by_product()
    met, items = meeting.users(users), meeting.items(outputs)
    products = users[:, :-1] @ outputs[:, :-1].T  # (users, items)
    torch.testing.assert_close(met @ items.T, products)
    served = torch.nn.functional.normalize(met) @ items.T
    assert torch.equal(served.argsort(dim=1), products.argsort(dim=1))
    assert not torch.equal(  # a long item wins over one of a like direction
        products.argsort(dim=1), (users @ torch.nn.functional.normalize(outputs).T).argsort(dim=1)
    )


def test_a_product_gives_gradients_at_every_length() -> None:
    outputs = torch.tensor([[0.0, 0, 0], [1, 0, 0], [3, 4, 0]]).requires_grad_()
    by_product().items(outputs).sum().backward()  # type: ignore[no-untyped-call]  # torch
    assert outputs.grad is not None and torch.isfinite(outputs.grad).all()

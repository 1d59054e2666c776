"""`--filter` as people write it."""

from __future__ import annotations

import pytest
import typer

from ops.commands.recall import parse_conditions
from schemas.recall import Range


def test_values_lists_and_bounds() -> None:
    assert parse_conditions(
        ["genre=Comedy,Drama", "year>=1990", "year<2000", "price=3", "new=true", "name=a=b"]
    ) == {
        "genre": ["Comedy", "Drama"],
        "year": Range(gte=1990.0, lt=2000.0),
        "price": 3,
        "new": True,
        "name": "a=b",
    }


@pytest.mark.parametrize("text", ["genre", "=x", "genre=", "year>=soon", "year>true"])
def test_what_is_no_condition_is_refused_by_name(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=text):
        parse_conditions([text])

"""Filters and contexts as people write them."""

from __future__ import annotations

import pytest
import typer

from ops.commands.written import parse_conditions, parse_context
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


def test_a_context_is_features_with_values() -> None:
    written = ["city=Oslo", "tags=a, b", "hour=9", "new=true", "note=a=b"]
    told = {"city": "Oslo", "tags": ["a", "b"], "hour": 9, "new": True, "note": "a=b"}
    assert parse_context(written) == told


@pytest.mark.parametrize("text", ["city", "=Oslo", "city="])
def test_a_context_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"got '{text}'"):
        parse_context([text])

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import FeatureValue
from schemas.settings import FeatureKind
from towers.features import FeatureReader, Token


@pytest.mark.parametrize(
    ("kind", "value", "tokens"),
    [
        (None, "red", [Token("f=red", 1)]),
        (None, True, [Token("f=true", 1)]),
        (None, ["a", "b"], [Token("f=a", 0.5), Token("f=b", 0.5)]),
        (None, [], []),
        (None, 3, [Token("f", 3.0, numeric=True)]),
        (None, 2.5, [Token("f", 2.5, numeric=True)]),
        ("numeric", "2.5", [Token("f", 2.5, numeric=True)]),
        ("categorical", 3, [Token("f=3", 1)]),
        ("text", "Red, red!", [Token("f~red", 1 / math.sqrt(2))] * 2),
        (
            "text",
            ["One two", "THREE"],
            [Token(f"f~{w}", 1 / math.sqrt(3)) for w in ("one", "two", "three")],
        ),
        ("text", " !", []),
        ("ignore", "red", []),
        ("ignore", 3, []),
    ],
)
def test_tokens(kind: FeatureKind | None, value: FeatureValue, tokens: list[Token]) -> None:
    reader = FeatureReader({"f": kind} if kind else {})
    assert reader.read({"f": value}) == tokens
    assert reader.unusable == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e16, 10**400, "soon", ["1"]])
def test_no_number_gives_nothing_and_is_counted(value: FeatureValue) -> None:
    reader = FeatureReader({"f": "numeric"})
    assert reader.read({"f": value, "g": "x"}) == [Token("g=x", 1)]
    assert reader.unusable == 1


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_list_of_categories_weighs_as_one(values: list[str]) -> None:
    tokens = FeatureReader({}).read({"f": values})
    assert sum(token.weight for token in tokens) == pytest.approx(1)


@given(st.text())
def test_the_squared_weights_of_a_text_sum_to_one(text: str) -> None:
    tokens = FeatureReader({"f": "text"}).read({"f": text})
    assert not tokens or sum(t.weight**2 for t in tokens) == pytest.approx(1)

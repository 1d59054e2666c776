from __future__ import annotations

import math

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import FeatureValue
from schemas.settings import FeatureKind
from towers.features import FeatureReader, Token

BUCKETS = 1_000


def word(lowered: str) -> str:
    return f"f~{xxhash.xxh3_64_intdigest(lowered.encode()) % BUCKETS}"


@pytest.mark.parametrize(
    ("kind", "value", "tokens"),
    [
        (None, "red", [Token("f=red", 1)]),
        (None, True, [Token("f=true", 1)]),
        (None, ["a", "b"], [Token("f=a", 0.5), Token("f=b", 0.5)]),
        (None, [], []),
        (None, 3, [Token("f", 3.0, "standardised")]),
        (None, 2.5, [Token("f", 2.5, "standardised")]),
        ("numeric", "2.5", [Token("f", 2.5, "standardised")]),
        ("categorical", 3, [Token("f=3", 1)]),
        ("numeric", True, [Token("f", 1.0, "standardised")]),
        ("log", math.e - 1, [Token("f", 1.0, "standardised")]),
        ("log", "-1e9", [Token("f", -math.log(1e9 + 1), "standardised")]),
        ("log", 0, [Token("f", 0.0, "standardised")]),
        ("bucketed", 2.5, [Token("f", 2.5, "bucketed")]),
        ("text", "Red, red!", [Token(word("red"), 1 / math.sqrt(2))] * 2),
        (
            "text",
            ["One two", "THREE"],
            [Token(word(w), 1 / math.sqrt(3)) for w in ("one", "two", "three")],
        ),
        ("text", " !", []),
        ("ignore", "red", []),
        ("ignore", 3, []),
    ],
)
def test_tokens(kind: FeatureKind | None, value: FeatureValue, tokens: list[Token]) -> None:
    reader = FeatureReader({"f": kind} if kind else {}, BUCKETS)
    assert reader.read({"f": value}) == tokens
    assert reader.unusable == 0


@pytest.mark.parametrize("kind", ["numeric", "log", "bucketed"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e16, 10**400, "soon", ["1"]])
def test_no_number_gives_nothing_and_is_counted(kind: FeatureKind, value: FeatureValue) -> None:
    reader = FeatureReader({"f": kind}, BUCKETS)
    assert reader.read({"f": value, "g": "x"}) == [Token("g=x", 1)]
    assert reader.unusable == 1


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_list_of_categories_weighs_as_one(values: list[str]) -> None:
    tokens = FeatureReader({}, BUCKETS).read({"f": values})
    assert sum(token.weight for token in tokens) == pytest.approx(1)


@given(st.text())
def test_the_squared_weights_of_a_text_sum_to_one(text: str) -> None:
    tokens = FeatureReader({"f": "text"}, BUCKETS).read({"f": text})
    assert not tokens or sum(t.weight**2 for t in tokens) == pytest.approx(1)


def test_a_text_never_gives_more_tokens_than_buckets() -> None:
    reader = FeatureReader({"f": "text"}, text_buckets=7)
    tokens = reader.read({"f": " ".join(f"word{number}" for number in range(1_000))})
    assert len({token.name for token in tokens}) == 7


def test_a_missing_feature_gives_nothing_and_an_unseen_value_a_token_like_any_other() -> None:
    reader = FeatureReader({"city": "categorical", "price": "numeric"}, BUCKETS)
    assert reader.read({}) == []
    assert reader.read({"city": "never seen"}) == [Token("city=never seen", 1)]
    assert reader.unusable == 0

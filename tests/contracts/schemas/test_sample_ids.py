"""Sample ids are for ever: a trainer's checkpoint and the topics hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.samples import PassedOver, sample_id


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("r1", "i1", "click"), 4127003325596156783),
        (("r1", "i1", "exposure"), 15103381442278011259),
        (("ml-7-1-881250949", "1", "click"), 8659836994759825663),
        (("Größe", "日本", "like"), 5522619401201361436),
        (("", "", ""), 1311898356792969086),
    ],
)
def test_ids_never_change(parts: tuple[str, str, str], expected: int) -> None:
    assert sample_id(*parts) == expected


def test_an_item_passed_over_has_the_id_of_its_exposure() -> None:
    shown = PassedOver("u", "r1", 5, ["i1", "i2"])
    ids = [sample_id("r1", "i1", "exposure"), sample_id("r1", "i2", "exposure")]
    assert [sample.sample_id for sample in shown.samples()] == ids


_PARTS = st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))


@given(_PARTS, _PARTS)
def test_other_statements_have_other_ids(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    """Of 64 bits, a collision among these few would be one of the encoding, not of chance."""
    assert (sample_id(*one) == sample_id(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c", "click"), ("a", "bc", "click")),
        (("a", "", "bclick"), ("a", "b", "click")),
        (("1:a", "b", "c"), ("1", ":ab", "c")),
        (("r", "i1", "1x"), ("r", "i", "11x")),
    ],
)
def test_parts_do_not_run_into_each_other(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert sample_id(*one) != sample_id(*other)


@given(_PARTS)
def test_ids_have_64_bits(parts: tuple[str, str, str]) -> None:
    assert 0 <= sample_id(*parts) < 2**64

"""Filters over columns, against a predicate on each item."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index_service.attributes import AttributeTable
from schemas.events import FeatureValue
from schemas.recall import Condition, Range, Scalar

SLOTS = 12

words = st.sampled_from(["a", "b", "1", "True", ""])
numbers = st.integers(-2, 2) | st.sampled_from([0.5, 1.0, -0.0, 1e300]) | st.just(10**400)
scalars: st.SearchStrategy[Scalar] = words | numbers | st.booleans()
values: st.SearchStrategy[FeatureValue] = scalars | st.lists(words, max_size=3)
bounds = st.none() | st.floats(-2, 2)
ranges = st.builds(Range, gte=bounds, gt=bounds, lte=bounds, lt=bounds)
conditions: st.SearchStrategy[Condition] = scalars | st.lists(scalars, max_size=3) | ranges
rows = st.dictionaries(st.sampled_from(["x", "y"]), values)


def same(wanted: Scalar, value: Scalar) -> bool:
    """Equal, where numbers are one kind and flags and texts each their own."""
    number = (int, float)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return isinstance(wanted, bool) and isinstance(value, bool) and wanted == value
    if isinstance(wanted, number) and isinstance(value, number):
        return wanted == value
    return isinstance(wanted, str) and isinstance(value, str) and wanted == value


def within(value: FeatureValue, limits: Range) -> bool:
    if isinstance(value, bool | str | list):
        return False
    return (
        (limits.gte is None or value >= limits.gte)
        and (limits.gt is None or value > limits.gt)
        and (limits.lte is None or value <= limits.lte)
        and (limits.lt is None or value < limits.lt)
    )


def meets(condition: Condition, value: FeatureValue) -> bool:
    if isinstance(condition, Range):
        return within(value, condition)
    wanted = condition if isinstance(condition, list) else [condition]
    held = value if isinstance(value, list) else [value]
    return any(same(one, other) for one in wanted for other in held)


def meets_all(wanted: dict[str, Condition], row: dict[str, FeatureValue]) -> bool:
    return all(field in row and meets(one, row[field]) for field, one in wanted.items())


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, SLOTS - 1), st.none() | rows), max_size=40),
    st.lists(st.dictionaries(st.sampled_from(["x", "y", "z"]), conditions), max_size=6),
)
def test_masks_agree_with_the_predicate_through_changes(
    changes: list[tuple[int, dict[str, FeatureValue] | None]],
    filters: list[dict[str, Condition]],
) -> None:
    table = AttributeTable()
    truth: dict[int, dict[str, FeatureValue]] = {}
    for slot, row in changes:
        if row is None:
            table.clear(slot)
        else:
            table.put(slot, row, SLOTS)
        truth[slot] = row or {}
    for wanted in filters:
        expected = [meets_all(wanted, truth.get(slot, {})) for slot in range(SLOTS)]
        assert table.mask(wanted, SLOTS).tolist() == expected
    assert table.fields() == {field for row in truth.values() for field in row}


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        (1, [True, True, False, False, False]),
        (True, [False, False, True, False, False]),
        ("1", [False, False, False, True, True]),
        (["1", 1], [True, True, False, True, True]),
        (Range(gte=1), [True, True, False, False, False]),
        (Range(), [True, True, False, False, False]),
    ],
)
def test_a_flag_is_no_number_and_a_text_is_neither(condition: Condition, met: list[bool]) -> None:
    table = AttributeTable()
    kinds: list[FeatureValue] = [1, 1.0, True, "1", ["0", "1"]]
    for slot, value in enumerate(kinds):
        table.put(slot, {"x": value}, 8)
    assert table.mask({"x": condition}, 5).tolist() == met


def test_true_replaces_one() -> None:
    table = AttributeTable()
    table.put(0, {"x": 1}, 1)
    table.put(0, {"x": True}, 1)
    assert table.mask({"x": True}, 1).tolist() == [True]


def test_slots_beyond_a_column_meet_nothing() -> None:
    table = AttributeTable()
    table.put(1, {"x": 5}, 4)
    assert table.mask({"x": Range(gte=0)}, 9).tolist() == [False, True] + 7 * [False]
    assert table.mask({"x": 5}, 9).tolist() == [False, True] + 7 * [False]

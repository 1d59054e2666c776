"""CSV: kinds of columns, order, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.datasets.csv_files import load_csv
from ops.datasets.dataset import Dataset, DatasetOptions
from schemas.errors import DatasetError
from schemas.events import Event, Item

HEADER = "action,user_id,item_id,request_id,ts_ms"


def _load(folder: Path, events: str | bytes, items: str | None = None) -> Dataset:
    path = folder / "events.csv"
    path.write_bytes(events.encode() if isinstance(events, str) else events)
    item_path = None
    if items is not None:
        item_path = folder / "items.csv"
        item_path.write_text(items, encoding="utf-8")
    return load_csv(DatasetOptions(folder / "cache", lambda line: None, path, item_path))


def test_rows_are_events_in_the_order_of_the_file(tmp_path: Path) -> None:
    dataset = _load(
        tmp_path,
        f"\ufeff{HEADER},position,ctx.age,ctx.city\r\n"
        'click,u1,i1,r1,2000,,17,"Oslo, N"\r\n'
        "\r\n"
        "exposure,u1,i1,r1,1000,3,,\r\n"
        "view,u2,i2,r2,1500,0,18.5,02139\r\n",
    )
    assert list(dataset.events) == [
        Event("click", "u1", "i1", "r1", 2000, None, {"age": 17, "city": "Oslo, N"}),
        Event("exposure", "u1", "i1", "r1", 1000, 3),
        Event("view", "u2", "i2", "r2", 1500, 0, {"age": 18.5, "city": "02139"}),
    ]
    assert (dataset.events_total, dataset.clicks_total, list(dataset.items)) == (3, 1, [])


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2.5", "1e3"], [1, -2.5, 1000.0]),
        (["1", "x"], ["1", "x"]),
        (["02139", "10001"], ["02139", "10001"]),
        (["12345678901234567890"], ["12345678901234567890"]),
        (["1e999"], ["1e999"]),
        (["nan"], ["nan"]),
        (["true", "false"], [True, False]),
        (["true", "1"], ["true", "1"]),
        (["a|b"], ["a|b"]),
    ],
)
def test_the_kind_of_a_column_comes_from_all_of_its_cells(
    tmp_path: Path, cells: list[str], values: list[object]
) -> None:
    rows = "".join(f"click,u,i,r,1,{cell}\n" for cell in cells)
    events = _load(tmp_path, f"{HEADER},ctx.x\n{rows}").events
    found = [event.context["x"] for event in events]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_items_have_features_attributes_and_the_time_of_the_first_event(tmp_path: Path) -> None:
    dataset = _load(
        tmp_path,
        f"{HEADER}\nclick,u,i,r,9\nclick,u,i,r,5\n",
        "item_id,feature.title,feature.tags[],attribute.price,feature.price\n"
        "i,Red lamp,red|home|,10,10\n"
        "j,,,,\n",
    )
    assert list(dataset.items) == [
        Item(
            "i",
            5,
            {"title": "Red lamp", "tags": ["red", "home"], "price": 10},
            {"price": 10},
        ),
        Item("j", 5),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "events.csv line 1: the header has action, user_id, item_id, request_id, ts_ms"),
        (f"{HEADER},user\n", "column 'user' is unknown; did you mean 'user_id'?"),
        (f"{HEADER},context.age\n", "column 'context.age' is unknown"),
        (f"{HEADER},ctx.\n", "column 'ctx.' is unknown; did you mean 'ctx.NAME'? Known are action"),
        (f"{HEADER},ctx.a,ctx.a[]\n", "a column comes once"),
        (f"{HEADER},ts_ms\n", "a column comes once"),
        ("action,user_id,item_id,ts_ms\n", "the header has request_id; got"),
        (f"{HEADER}\nclick,u,i,r\n", "line 2: a row has as many cells as the header, 5"),
        (f"{HEADER}\nclick,u,i,r,-1\n", "line 2: ts_ms is a whole number, 0 or more; got '-1'"),
        (f"{HEADER}\nclick,u,i,r,1.0\n", "ts_ms is a whole number"),
        (f"{HEADER}\nclick,u,i,r,²\n", "ts_ms is a whole number"),
        (f"{HEADER}\nclick,u,i,r,{2**53 + 1}\n", "line 2: ts_ms: Expected `int` <= 90071992"),
        (f"{HEADER}\n\nclick,,i,r,1\n", "line 3: user_id: Expected `str` of length >= 1; got ''"),
        (f"{HEADER}\nclick,u,{'i' * 257},r,1\n", "item_id: Expected `str` of length <= 256"),
        (f"{HEADER},position\nclick,u,i,r,1,x\n", "position is a whole number, 0 or more; got 'x'"),
        (f'{HEADER}\nclick,u,i,r,"1"x\n', "line 2: a row is CSV"),
        (f"{HEADER}\nclick,u,i,r,1\nclick,\xff".encode("latin-1"), "text is UTF-8; got b'\\xff'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(DatasetError) as caught:
        _load(tmp_path, text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ("item_id,title\n", "column 'title' is unknown"),
        ("item_id,feature.x\ni,1\ni,2\n", "items.csv line 3: an item comes once; got 'i'"),
        ("item_id\n\n\n,\n", "a row has as many cells"),
    ],
)
def test_what_is_wrong_with_items_is_named(tmp_path: Path, items: str, told: str) -> None:
    with pytest.raises(DatasetError) as caught:
        _load(tmp_path, f"{HEADER}\n", items)
    assert told in str(caught.value)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="--path"):
        load_csv(DatasetOptions(tmp_path, lambda line: None))
    with pytest.raises(DatasetError, match="no file"):
        load_csv(DatasetOptions(tmp_path, lambda line: None, tmp_path / "gone.csv"))


_IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(st.lists(st.tuples(_IDS, _IDS, _IDS, _IDS, st.integers(0, 2**53)), max_size=5))
def test_what_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER.split(","))
        writer.writerows(rows)
    options = DatasetOptions(folder, lambda line: None, folder / "events.csv")
    assert list(load_csv(options).events) == [Event(*row) for row in rows]

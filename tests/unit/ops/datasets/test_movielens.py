"""Both layouts of MovieLens, hand-made in the form of the real files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from ops.datasets.movielens import movielens_from
from ops.datasets.movielens_layouts import GENRES, parse
from schemas.errors import DatasetError
from schemas.events import Event, FeatureValue, Item


def _flags(*genres: str) -> str:
    return "|".join("1" if genre in genres else "0" for genre in GENRES)


GROUPLENS = {
    "u.data": (
        b"7\t2\t4\t881250950\n"
        b"196\t1\t3\t881250949\n"
        b"7\t1\t5\t881250949\n"
        b"7\t267\t1\t881250951\n"
        b"8\t3\t4\t881250951\n"
    ),
    "u.item": "\n".join(
        [
            "1|Toy Story (1995)|01-Jan-1995||http://x|" + _flags("Comedy", "Animation"),
            "2|Mis\xe9rables, Les (1995)|01-Jan-1995||http://x|" + _flags("Drama"),
            "3|Land Before Time III (1995) (V)|01-Jan-1995||http://x|" + _flags("Children's"),
            "4|Good Morning  (1971) |4-Feb-1971||http://x|" + _flags("unknown"),
            "267|unknown||||" + _flags("unknown"),
        ]
    ).encode("latin-1"),
    "u.user": b"7|57|M|administrator|91344\n8|36|F|artist|05201\n196|49|M|writer|55105\n",
}
ATOMIC = {
    "ml-100k.inter": (
        b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        b"196\t1\t3\t881250949\n7\t1\t5\t881250949\n7\t2\t4\t881250950\n"
        b"8\t3\t4\t881250951\n7\t267\t1\t881250951\n"
    ),
    "ml-100k.item": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tToy Story\t1995\tAnimation Comedy\n"
        "2\tMis\xe9rables, Les\t1995\tDrama\n"
        "3\tLand Before Time III (1995)\tV\tChildren's\n"
        "4\tGood Morning\t1971\tunknown\n"
        "267\tunkonwn\tunkonwn\tunknown\n"
    ).encode(),
    "ml-100k.user": (
        b"user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        b"7\t57\tM\tadministrator\t91344\n8\t36\tF\tartist\t05201\n196\t49\tM\twriter\t55105\n"
    ),
}


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_after_its_exposure_a_rating_of_4_is_a_click_and_3_a_view(
    tmp_path: Path,
) -> None:
    dataset = movielens_from(_write(tmp_path / "g", GROUPLENS))
    writer: dict[str, FeatureValue] = {"age": 49, "gender": "M", "occupation": "writer"}
    admin: dict[str, FeatureValue] = {"age": 57, "gender": "M", "occupation": "administrator"}
    artist: dict[str, FeatureValue] = {"age": 36, "gender": "F", "occupation": "artist"}
    first, later, last = 881250949000, 881250950000, 881250951000
    assert list(dataset.events) == [
        Event("exposure", "196", "1", "ml-196-1-881250949", first, context=writer),
        Event("view", "196", "1", "ml-196-1-881250949", first, context=writer),
        Event("exposure", "7", "1", "ml-7-1-881250949", first, context=admin),
        Event("click", "7", "1", "ml-7-1-881250949", first, context=admin),
        Event("exposure", "7", "2", "ml-7-2-881250950", later, context=admin),
        Event("click", "7", "2", "ml-7-2-881250950", later, context=admin),
        Event("exposure", "7", "267", "ml-7-267-881250951", last, context=admin),
        Event("view", "7", "267", "ml-7-267-881250951", last, context=admin),
        Event("exposure", "8", "3", "ml-8-3-881250951", last, context=artist),
        Event("click", "8", "3", "ml-8-3-881250951", last, context=artist),
    ]
    assert (dataset.events_total, dataset.clicks_total) == (10, 3)


def test_items_have_title_year_and_genres_where_known(tmp_path: Path) -> None:
    items = {item.item_id: item for item in movielens_from(_write(tmp_path / "g", GROUPLENS)).items}
    assert items["1"] == Item(
        "1",
        881250949000,
        features={"title": "Toy Story", "year": 1995, "genres": ["Animation", "Comedy"]},
        attributes={"year": 1995, "genres": ["Animation", "Comedy"]},
    )
    assert items["2"].features["title"] == "Misérables, Les"
    assert items["3"].features == {
        "title": "Land Before Time III",
        "year": 1995,
        "genres": ["Children's"],
    }
    assert items["4"].features == {"title": "Good Morning", "year": 1971}
    assert items["267"].features == items["267"].attributes == {}


def test_both_layouts_give_the_same_stream(tmp_path: Path) -> None:
    one = movielens_from(_write(tmp_path / "g", GROUPLENS))
    other = movielens_from(_write(tmp_path / "a", ATOMIC))
    assert list(one.events) == list(other.events)
    assert list(one.items) == list(other.items)
    assert one.events_total == other.events_total
    assert list(one.events) == list(one.events)  # can be read again


def test_a_zip_file_gives_the_same_wherever_the_files_lie_in_it(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ml-100k/README", "no data")
        for name, data in GROUPLENS.items():
            archive.writestr(f"ml-100k/{name}", data)
    path = tmp_path / "ml.zip"
    path.write_bytes(packed.getvalue())
    from_folder = movielens_from(_write(tmp_path / "g", GROUPLENS))
    assert list(movielens_from(path).events) == list(from_folder.events)


def test_without_a_users_file_events_have_no_context(tmp_path: Path) -> None:
    files = {name: data for name, data in ATOMIC.items() if not name.endswith(".user")}
    events = list(movielens_from(_write(tmp_path / "a", files)).events)
    assert len(events) == 10
    assert all(event.context == {} for event in events)


def test_columns_of_the_atomic_files_may_stand_in_any_order() -> None:
    inter = b"timestamp:float\trating:float\tuser_id:token\titem_id:token\n881250949\t3\t196\t1\n"
    (rating,) = parse(ATOMIC | {"ml-100k.inter": inter}).ratings
    assert rating == ("196", "1", 3.0, 881250949000)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"u.data": b"1\t2\t4\n"}, "u.data line 1: a line has 4 cells; got '3 cells'"),
        ({"u.data": b"1\t2\t4\t5\n1\t2\tx\t5\n"}, "u.data line 2: rating is a number; got 'x'"),
        ({"u.data": b"1\t2\tnan\t5\n"}, "u.data line 1: rating is a number; got 'nan'"),
        ({"u.data": b"1\t2\t4\t-5\n"}, "u.data line 1: timestamp is in Unix seconds"),
        ({"u.data": b"1\t2\t4\t1e300\n"}, "u.data line 1: timestamp is in Unix seconds"),
        ({"u.data": b"1\t\t4\t5\n"}, "u.data line 1: user and item have an id"),
        ({"u.item": b"1|A (1990)|x||\n"}, "u.item line 1: a line has 24 cells"),
        (
            {"u.item": ("1|A|x||y|" + _flags()).replace("0", "2", 1).encode()},
            "u.item line 1: genre flags are 0 or 1",
        ),
        ({"u.user": b"7|old|M|none|1\n"}, "u.user line 1: age is a number; got 'old'"),
    ],
)
def test_a_bad_line_is_named_with_its_rule_and_value(files: dict[str, bytes], told: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse(GROUPLENS | files)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"ml-100k.inter": b"user_id:token\titem_id:token\trating:float\n"},
            "ml-100k.inter line 1: the header has user_id, item_id, rating, timestamp",
        ),
        ({"ml-100k.item": b"item_id:token\tmovie_title\n"}, "ml-100k.item line 1: the header has"),
        (
            {"ml-100k.user": b"user_id\tage\tgender\toccupation\n1\t2\tM\t\xff\n"},
            "ml-100k.user line 2: text is utf-8",
        ),
    ],
)
def test_a_bad_atomic_file_is_named(files: dict[str, bytes], told: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse(ATOMIC | files)
    assert told in str(caught.value)


def test_other_files_are_refused_by_name() -> None:
    with pytest.raises(DatasetError, match=r"u\.data and u\.item.*got notes\.txt"):
        parse({"notes.txt": b""})

"""The two layouts of MovieLens 100K, GroupLens' own and RecBole's atomic files, read alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ops.datasets.rows import bad_row, number_of, split_lines, text_of, ts_ms_of_seconds
from schemas.errors import DatasetError
from schemas.events import FeatureValue

GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy "
    "Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western"
).split()
"""Names of the 19 genre flags of `u.item`, in order."""

_YEAR = re.compile(r"^(?P<title>.*?)\s*\((?P<year>\d{4})\)(?:\s*\([A-Z]+\))?$")
_NO_TITLE = {"", "unknown", "unkonwn"}  # the second as in the atomic file


class Rating(NamedTuple):
    """One rating of 1 to 5."""

    user_id: str
    item_id: str
    rating: float
    ts_ms: int


class Tables(NamedTuple):
    """The three tables; item features and user features by id."""

    ratings: list[Rating]
    items: dict[str, dict[str, FeatureValue]]
    """`title` without the year, `year`, `genres`: each only where it is known."""
    users: dict[str, dict[str, FeatureValue]]
    """`age`, `gender`, `occupation`."""


def file_names(names: Mapping[str, object]) -> tuple[str, str, str] | None:
    """The ratings', items' and users' file among these names, or None when two are not there.

    The users' file may be missing. GroupLens' layout wins where both are.
    """
    if "u.data" in names and "u.item" in names:
        return "u.data", "u.item", "u.user"
    for name in sorted(names):
        stem = name.removesuffix(".inter")
        if stem != name and f"{stem}.item" in names:
            return name, f"{stem}.item", f"{stem}.user"
    return None


def parse(files: Mapping[str, bytes]) -> Tables:
    """The tables of either layout; the same data gives the same tables.

    An absent users' file means no user features. Raises DatasetError with the line that is wrong.
    """
    names = file_names(files)
    if names is None:
        msg = (
            "MovieLens files are u.data and u.item, or NAME.inter and NAME.item; "
            f"got {', '.join(sorted(files)) or 'none'}"
        )
        raise DatasetError(msg)
    ratings, items, users = names
    if ratings == "u.data":
        return Tables(
            list(_ratings(ratings, _plain(ratings, files[ratings], "\t", 4))),
            dict(_flagged_items(items, files[items])),
            dict(_users(users, _plain(users, files.get(users, b""), "|", 5))),
        )
    return Tables(
        list(_ratings(ratings, _atomic(ratings, files[ratings], _RATING_COLUMNS))),
        dict(_atomic_items(items, files[items])),
        dict(
            _users(
                users, _atomic(users, files[users], _USER_COLUMNS) if users in files else iter(())
            )
        ),
    )


_RATING_COLUMNS = ("user_id", "item_id", "rating", "timestamp")
_USER_COLUMNS = ("user_id", "age", "gender", "occupation")
_ITEM_COLUMNS = ("item_id", "movie_title", "release_year", "class")

_Rows = Iterator[tuple[int, list[str]]]


def _plain(file: str, data: bytes, separator: str, columns: int) -> _Rows:
    """Rows of a GroupLens file."""
    return split_lines(file, text_of(file, data, "latin-1"), separator, columns)


def _atomic(file: str, data: bytes, columns: tuple[str, ...]) -> _Rows:
    """Rows of an atomic file, with these columns in this order; its header has `name:type`."""
    text = text_of(file, data, "utf-8")
    header = text.partition("\n")[0].rstrip("\r").split("\t")
    names = [cell.partition(":")[0] for cell in header]
    missing = [column for column in columns if column not in names]
    if missing:
        raise bad_row(file, 1, f"the header has {', '.join(columns)}", ", ".join(names))
    places = [names.index(column) for column in columns]
    for line, cells in split_lines(file, text, "\t", len(names), first_line=2):
        yield line, [cells[place] for place in places]


def _ratings(file: str, rows: _Rows) -> Iterator[Rating]:
    for line, (user_id, item_id, rating, seconds) in rows:
        if not user_id or not item_id:
            raise bad_row(file, line, "user and item have an id", (user_id, item_id))
        stars = number_of(file, line, "rating", rating)
        yield Rating(user_id, item_id, stars, ts_ms_of_seconds(file, line, seconds))


def _users(file: str, rows: _Rows) -> Iterator[tuple[str, dict[str, FeatureValue]]]:
    for line, (user_id, age, gender, occupation, *_) in rows:
        years = int(number_of(file, line, "age", age))
        yield user_id, {"age": years, "gender": gender, "occupation": occupation}


def _flagged_items(file: str, data: bytes) -> Iterator[tuple[str, dict[str, FeatureValue]]]:
    """`u.item`: id, title (year), release date, video date, URL, and a flag for each genre."""
    for line, cells in _plain(file, data, "|", 5 + len(GENRES)):
        flags = cells[5:]
        if not set(flags) <= {"0", "1"}:
            raise bad_row(file, line, "genre flags are 0 or 1", flags)
        genres = [genre for genre, flag in zip(GENRES, flags, strict=True) if flag == "1"]
        yield cells[0], _features(cells[1], genres)


def _atomic_items(file: str, data: bytes) -> Iterator[tuple[str, dict[str, FeatureValue]]]:
    """`.item`: the title and the last bracket of GroupLens' title, which is a year mostly."""
    for _, (item_id, title, year, genres) in _atomic(file, data, _ITEM_COLUMNS):
        yield item_id, _features(f"{title} ({year})" if year else title, genres.split())


def _features(text: str, genres: list[str]) -> dict[str, FeatureValue]:
    """Features of a title such as `Heat (1995)` or `Wild America (1997) (V)`, and genre names."""
    text = " ".join(text.split())
    dated = _YEAR.match(text)
    title = dated["title"] if dated else text.removesuffix(" (unkonwn)")
    features: dict[str, FeatureValue] = {}
    if title not in _NO_TITLE:
        features["title"] = title
    if dated:
        features["year"] = int(dated["year"])
    known = sorted(set(genres) - {"unknown"})
    if known:
        features["genres"] = known
    return features

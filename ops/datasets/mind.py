"""MIND, the Microsoft News data set, from a folder with `behaviors.tsv` and `news.tsv`.

An impression is a request. Its items are exposed at its time, and those marked 1 are clicked after
that, at the same time: the files know no later one. Times have no zone and are read as UTC.
Positions are left out, since the files list an impression's items in shuffled order. The column of
earlier clicks has no times and is left out. Item features are `category`, `subcategory` and
`title`, attributes `category` and `subcategory`; an exposed item without a row in `news.tsv` has no
features. The title is words, so declare it in the settings:

    [features.items]
    title = "text"

Microsoft's licence forbids passing the data on: fetch it from its own site.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ops.datasets.dataset import Dataset, DatasetOptions
from ops.datasets.rows import bad_row, split_lines, text_of
from schemas.errors import DatasetError
from schemas.events import CLICK, EXPOSURE, Event, FeatureValue, Item

NAME = "mind"
_BEHAVIORS = "behaviors.tsv"
_NEWS = "news.tsv"
_TIME = "%m/%d/%Y %I:%M:%S %p"


class _Impression(NamedTuple):
    ts_ms: int
    impression_id: str
    user_id: str
    shown: str
    """As in the file, `item-1` or `item-0` each; split again for each reading, to stay small."""


def locate_mind(options: DatasetOptions) -> Path:
    """The user's folder. Raises DatasetError when a file is not in it, or no folder is given."""
    folder = options.path
    if folder is None:
        msg = f"{NAME} comes from a folder with {_BEHAVIORS} and {_NEWS}; name it with --path"
        raise DatasetError(msg)
    for name in (_BEHAVIORS, _NEWS):
        if not (folder / name).is_file():
            msg = f"{NAME} comes from a folder with {_BEHAVIORS} and {_NEWS}; no {folder / name}"
            raise DatasetError(msg)
    return folder


def load_mind(options: DatasetOptions) -> Dataset:
    """The data set; every line is checked first. Raises DatasetError with the line that is wrong.

    Impressions come by time, those of one second by their id, whatever the order in the file.
    """
    folder = locate_mind(options)
    impressions = []
    exposures = clicks = 0
    for impression, clicked, shown in _read_impressions(folder / _BEHAVIORS):
        impressions.append(impression)
        exposures += shown
        clicks += clicked
    impressions.sort()
    first_ms = impressions[0].ts_ms if impressions else 0
    return Dataset(
        name=NAME,
        items=list(_read_news(folder / _NEWS, first_ms)),
        events=_ImpressionEvents(impressions),
        events_total=exposures + clicks,
        clicks_total=clicks,
    )


@dataclass(frozen=True)
class _ImpressionEvents:
    impressions: list[_Impression]

    def __iter__(self) -> Iterator[Event]:
        for ts_ms, impression_id, user_id, shown in self.impressions:
            request_id = f"mind-{impression_id}"
            marked = [entry.rpartition("-") for entry in shown.split()]
            for item_id, _, _ in marked:
                yield Event(EXPOSURE, user_id, item_id, request_id, ts_ms)
            for item_id, _, mark in marked:
                if mark == "1":
                    yield Event(CLICK, user_id, item_id, request_id, ts_ms)


def _read_impressions(path: Path) -> Iterator[tuple[_Impression, int, int]]:
    """Each impression with its numbers of clicks and of exposures."""
    text = text_of(path.name, path.read_bytes(), "utf-8")
    for line, (impression_id, user_id, time, _, shown) in split_lines(path.name, text, "\t", 5):
        if not impression_id or not user_id:
            raise bad_row(path.name, line, "impression and user have an id", "")
        clicks = exposures = 0
        for entry in shown.split():
            item_id, _, mark = entry.rpartition("-")
            if not item_id or mark not in ("0", "1"):
                raise bad_row(path.name, line, "an impression's items end in -0 or -1", entry)
            exposures += 1
            clicks += mark == "1"
        ts_ms = _ts_ms(path.name, line, time)
        yield _Impression(ts_ms, impression_id, user_id, shown), clicks, exposures


def _read_news(path: Path, ts_ms: int) -> Iterator[Item]:
    text = text_of(path.name, path.read_bytes(), "utf-8")
    for line, (item_id, category, subcategory, title, *_) in split_lines(path.name, text, "\t", 8):
        if not item_id:
            raise bad_row(path.name, line, "an item has an id", item_id)
        named = {"category": category, "subcategory": subcategory}
        attributes: dict[str, FeatureValue] = {name: text for name, text in named.items() if text}
        features = attributes | {"title": title} if title else attributes
        yield Item(item_id, ts_ms, features=features, attributes=attributes)


def _ts_ms(file: str, line: int, text: str) -> int:
    try:
        moment = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise bad_row(file, line, "a time is like 11/12/2019 2:14:46 PM", text) from error
    return max(0, int(moment.timestamp()) * 1000)

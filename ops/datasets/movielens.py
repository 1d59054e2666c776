"""MovieLens 100K as a stream: 100,000 ratings, of which 55,375 count as clicks.

A rating is a request that showed one item: an exposure and, at the same time, a `click` if the
rating is 4 or 5, or else a `view`, as who rates a film has watched it. With the default settings a
view is a signal: it enters the history at once, and a negative follows when the exposure's window
has closed, since no positive came. Item features are `title`, `year` and `genres`
(each left out where unknown), attributes `year` and `genres`; an event's context has the user's
`age`, `gender` and `occupation`. The title is words, so declare it in the settings:

    [features.items]
    title = "text"
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.datasets.dataset import Dataset, DatasetOptions
from ops.datasets.movielens_files import NAME, locate_movielens, read_files
from ops.datasets.movielens_layouts import Rating, Tables, parse
from schemas.events import CLICK, EXPOSURE, VIEW, Event, FeatureValue, Item

_CLICK_FROM = 4
_ATTRIBUTES = ("year", "genres")


def load_movielens(options: DatasetOptions) -> Dataset:
    """The data set, wherever `locate_movielens` finds it. Raises DatasetError."""
    return movielens_from(locate_movielens(options))


def movielens_from(path: Path) -> Dataset:
    """The data set from a folder or a zip file in either layout. Raises DatasetError."""
    tables = parse(read_files(path))
    # Ratings share seconds: the ids settle their order, whatever the order in the file.
    ratings = sorted(tables.ratings, key=lambda r: (r.ts_ms, r.user_id, r.item_id))
    clicks = sum(rating.rating >= _CLICK_FROM for rating in ratings)
    return Dataset(
        name=NAME,
        items=_items(tables, ratings[0].ts_ms if ratings else 0),
        events=_RatingEvents(ratings, tables.users),
        events_total=2 * len(ratings),
        clicks_total=clicks,
    )


def _items(tables: Tables, ts_ms: int) -> list[Item]:
    return [
        Item(
            item_id,
            ts_ms,
            features=features,
            attributes={name: features[name] for name in _ATTRIBUTES if name in features},
        )
        for item_id, features in tables.items.items()
    ]


@dataclass(frozen=True)
class _RatingEvents:
    ratings: list[Rating]
    users: dict[str, dict[str, FeatureValue]]

    def __iter__(self) -> Iterator[Event]:
        for user_id, item_id, rating, ts_ms in self.ratings:
            request_id = f"ml-{user_id}-{item_id}-{ts_ms // 1000}"
            context = self.users.get(user_id, {})
            for action in (EXPOSURE, CLICK if rating >= _CLICK_FROM else VIEW):
                yield Event(action, user_id, item_id, request_id, ts_ms, context=context)

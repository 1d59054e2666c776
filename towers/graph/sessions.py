"""Clicks to visits: noise left out, cut into sessions; pure and one click at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class SessionRules:
    """What is noise, and when a session ends; the defaults are those of the EGES paper.

    Wang et al., "Billion-scale Commodity Embedding for E-commerce Recommendation in Alibaba", KDD
    2018, section 2.2.1. Its third filter, items that change under one id, has no place here: such
    an item is a new record, and it is for the producer to say whether it is a new id too.
    """

    gap_ms: int = 3_600_000
    """A longer pause between two clicks of a user ends the session; one as long does not."""
    min_stay_ms: int = 1_000
    """A click that the user's next one follows sooner is no visit; 0 keeps all."""
    active_clicks: int = 3_500
    """Most clicks of a user in one window; what they click beyond it in that window is left out."""
    active_window_ms: int = 90 * _DAY_MS
    """A user's window begins with their first click after the one before ended."""
    users_kept: int = 1_000_000
    """Latest users remembered; one who was forgotten begins anew."""


class Visit(NamedTuple):
    """A click that counts."""

    user: int
    """By number; a user who was forgotten has another one when they return."""
    item_id: str
    ts_ms: int
    after: str | None
    """The item visited before it in the session; None opens a session."""


class _User:
    __slots__ = ("active", "breaks", "clicks", "item_id", "number", "ts_ms", "visited", "window_ms")

    def __init__(self, number: int, ts_ms: int) -> None:
        self.number = number
        self.window_ms = ts_ms
        self.clicks = 0
        self.item_id: str | None = None  # clicked and not yet known to be a visit
        self.ts_ms = ts_ms  # of the last click
        self.breaks = True  # a session ended since the last visit
        self.visited: str | None = None
        self.active = False


class Sessions:
    """Gives each visit once it is sure to be one: with `min_stay_ms`, at the user's next click.

    A click on the item that the user is at counts once, and prolongs the stay. A click that comes
    late, by its time, counts as if made at the time of the user's latest.
    """

    def __init__(self, rules: SessionRules) -> None:
        self._rules = rules
        self._users: dict[str, _User] = {}  # by their last click, the oldest first
        self._numbers = 0
        self.short_stays = 0
        """Clicks left out because another followed too soon."""
        self.active_users = 0
        """Times that a user had more clicks in a window than are believed."""
        self.active_clicks = 0
        """Clicks left out as those of such users."""
        self.repeats = 0
        """Clicks on the item that the user was at."""
        self.users_forgotten = 0

    def add(self, user_id: str, item_id: str, ts_ms: int) -> Visit | None:
        """A click; gives the visit that it makes sure of, if any."""
        user = self._user(user_id, ts_ms)
        if self._too_active(user, ts_ms):
            return None
        at_ms = max(ts_ms, user.ts_ms)
        stay_ms, user.ts_ms = at_ms - user.ts_ms, at_ms
        within = stay_ms <= self._rules.gap_ms
        sure = None
        if user.item_id not in (None, item_id) or not within:
            sure = self._leave(user, stay_ms)
        if within and (item_id == user.item_id or self._is_back(user, item_id)):
            self.repeats += 1
            return sure
        user.breaks |= not within
        user.item_id = item_id
        return sure if self._rules.min_stay_ms else self._visit(user, at_ms)

    def finish(self) -> list[Visit]:
        """No click comes any more: the last of each user is a visit."""
        return [
            self._visit(user, user.ts_ms)
            for user in self._users.values()
            if user.item_id is not None
        ]

    def _leave(self, user: _User, stay_ms: int) -> Visit | None:
        """What the user was at, if it was long enough."""
        if user.item_id is None:
            return None
        if stay_ms >= self._rules.min_stay_ms:
            return self._visit(user, user.ts_ms - stay_ms)
        self.short_stays += 1
        user.item_id = None
        return None

    def _is_back(self, user: _User, item_id: str) -> bool:
        return user.item_id is None and not user.breaks and item_id == user.visited

    def _visit(self, user: _User, ts_ms: int) -> Visit:
        item_id, user.item_id = user.item_id or "", None
        after = None if user.breaks else user.visited
        user.breaks, user.visited = False, item_id
        return Visit(user.number, item_id, ts_ms, after)

    def _too_active(self, user: _User, ts_ms: int) -> bool:
        if ts_ms - user.window_ms >= self._rules.active_window_ms:
            user.window_ms, user.clicks, user.active = ts_ms, 0, False
        user.clicks += 1
        if user.clicks <= self._rules.active_clicks:
            return False
        self.active_users += not user.active
        user.active = True
        self.active_clicks += 1
        return True

    def _user(self, user_id: str, ts_ms: int) -> _User:
        user = self._users.pop(user_id, None)
        if user is None:
            user = _User(self._numbers, ts_ms)
            self._numbers += 1
        self._users[user_id] = user
        if len(self._users) > self._rules.users_kept:
            del self._users[next(iter(self._users))]
            self.users_forgotten += 1
        return user

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from towers.graph.sessions import SessionRules, Sessions, Visit

Click = tuple[str, str, int]


def visits_of(rules: SessionRules, clicks: list[Click]) -> tuple[list[Visit], Sessions]:
    sessions = Sessions(rules)
    found = [sessions.add(*click) for click in clicks]
    return [*(one for one in found if one is not None), *sessions.finish()], sessions


def steps(visits: list[Visit]) -> list[tuple[str | None, str]]:
    return [(visit.after, visit.item_id) for visit in visits]


def test_a_pause_as_long_as_the_gap_is_none_and_a_longer_one_ends_the_session() -> None:
    rules = SessionRules(gap_ms=100, min_stay_ms=0)
    visits, _ = visits_of(rules, [("u", "a", 0), ("u", "b", 100), ("u", "c", 201)])
    assert steps(visits) == [(None, "a"), ("a", "b"), (None, "c")]


def test_a_click_that_another_follows_too_soon_is_no_visit() -> None:
    rules = SessionRules(gap_ms=10_000, min_stay_ms=1_000)
    clicks = [("u", "a", 0), ("u", "b", 1_000), ("u", "c", 1_999), ("u", "d", 3_000)]
    visits, sessions = visits_of(rules, clicks)
    assert steps(visits) == [(None, "a"), ("a", "c"), ("c", "d")]
    assert [visit.ts_ms for visit in visits] == [0, 1_999, 3_000]
    assert sessions.short_stays == 1


def test_the_click_that_opens_a_session_may_be_the_noise() -> None:
    rules = SessionRules(gap_ms=5_000, min_stay_ms=1_000)
    clicks = [("u", "a", 0), ("u", "b", 9_000), ("u", "c", 9_500), ("u", "d", 11_000)]
    visits, _ = visits_of(rules, clicks)
    assert steps(visits) == [(None, "a"), (None, "c"), ("c", "d")]


def test_users_are_apart_and_an_item_follows_itself_not() -> None:
    rules = SessionRules(min_stay_ms=0)
    clicks = [("u", "a", 0), ("v", "b", 1), ("u", "a", 2), ("u", "c", 3), ("v", "d", 4)]
    visits, sessions = visits_of(rules, clicks)
    assert steps(visits) == [(None, "a"), (None, "b"), ("a", "c"), ("b", "d")]
    assert sessions.repeats == 1


def test_over_active_users_are_left_out_until_their_window_ends() -> None:
    rules = SessionRules(min_stay_ms=0, active_clicks=2, active_window_ms=100)
    clicks = [("u", item, ts_ms) for ts_ms, item in zip((0, 10, 20, 99, 100), "abcde", strict=True)]
    visits, sessions = visits_of(rules, clicks)
    assert steps(visits) == [(None, "a"), ("a", "b"), ("b", "e")]
    assert (sessions.active_users, sessions.active_clicks) == (1, 2)


def test_the_user_of_the_oldest_click_is_forgotten() -> None:
    rules = SessionRules(min_stay_ms=0, users_kept=2)
    clicks = [("u", "a", 0), ("v", "a", 1), ("u", "b", 2), ("w", "a", 3), ("v", "b", 4)]
    visits, sessions = visits_of(rules, clicks)
    assert steps(visits) == [(None, "a"), (None, "a"), ("a", "b"), (None, "a"), (None, "b")]
    assert sessions.users_forgotten == 2
    assert len({visit.user for visit in visits}) == 4


def batch(rules: SessionRules, clicks: list[Click]) -> list[tuple[str | None, str]]:
    """Each user's clicks as a list: repeats joined, short ones struck out, cut at the gaps."""
    by_user = defaultdict(list)
    for user, item, ts_ms in clicks:
        by_user[user].append((item, ts_ms))
    steps: list[tuple[str | None, str]] = []
    for own in by_user.values():
        stays: list[list[tuple[str, bool]]] = []  # (item, whether it is a visit), by session
        last_ms = 0
        for item, ts_ms in own:
            stay_ms, last_ms = ts_ms - last_ms, ts_ms
            if not stays or stay_ms > rules.gap_ms:
                if stays and stay_ms < rules.min_stay_ms and not stays[-1][-1][1]:
                    stays[-1].pop()
                stays.append([(item, False)])
                continue
            session = stays[-1]
            last_item, sure = session[-1]
            if item != last_item:
                if sure or stay_ms >= rules.min_stay_ms:
                    session[-1] = last_item, True
                else:
                    session.pop()
                if not session or session[-1][0] != item:
                    session.append((item, False))
        for session in stays:
            items = [item for item, _ in session]
            steps += zip([None, *items], items, strict=False)
    return steps


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("uv"), st.sampled_from("abc"), st.integers(0, 30)), max_size=25
    ),
    st.integers(1, 60),
    st.integers(0, 12),
)
def test_a_stream_gives_what_a_batch_would(
    drawn: list[tuple[str, str, int]], gap_ms: int, min_stay_ms: int
) -> None:
    ts_ms, clicks = 0, []
    for user, item, pause_ms in drawn:
        ts_ms += pause_ms
        clicks.append((user, item, ts_ms))
    rules = SessionRules(gap_ms=gap_ms, min_stay_ms=min_stay_ms)
    visits, _ = visits_of(rules, clicks)
    by_user: dict[int, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_user[visit.user].append(visit)
    found = [(one.after, one.item_id) for own in by_user.values() for one in own]
    assert sorted(found, key=str) == sorted(batch(rules, clicks), key=str)

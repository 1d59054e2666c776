"""The join against a brute-force batch labeller that shares no code with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import Event
from schemas.samples import PassedOver, sample_id
from schemas.settings import LabellingSettings
from streams.negatives import IDLE_GRACE_MS, NegativesJoin, Step

WINDOW_MS = 10_000
LATENESS_MS = 2_000
RULES = LabellingSettings(window_ms=WINDOW_MS, lateness_ms=LATENESS_MS)
T0 = 1_700_000_000_000


class Clock:
    def __init__(self, now_ms: int = T0) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def event(action: str, request: str, item: str, ts_ms: int) -> Event:
    return Event(action=action, user_id="u", item_id=item, request_id=request, ts_ms=ts_ms)


def negatives_of(step: Step[int]) -> set[int]:
    return {
        sample.sample_id
        for some in step.negatives.values()
        for shown in some
        for sample in shown.samples()
    }


def batch_labels(events: Iterable[Event]) -> set[int]:
    """Ids of all exposures whose (request, item) has no positive anywhere."""
    exposed: set[tuple[str, str]] = set()
    acted: set[tuple[str, str]] = set()
    for each in events:
        pair = (each.request_id, each.item_id)
        (exposed if each.action == "exposure" else acted).add(pair)
    return {sample_id(request, item, "exposure") for request, item in exposed - acted}


def test_an_exposure_is_a_negative_only_once_the_watermark_is_past_its_window() -> None:
    clock = Clock()
    join = NegativesJoin[int](RULES, clock)
    join.add([event("exposure", "r", "a", T0)], 0)
    # Watermark = T0 + WINDOW exactly: not yet past.
    at_window = join.add([event("view", "r", "z", T0 + WINDOW_MS + LATENESS_MS)], 1)
    assert at_window.negatives == {}
    # One bucket of a second later it is.
    past = join.add([event("view", "r", "z", T0 + WINDOW_MS + LATENESS_MS + 1_000)], 2)
    assert negatives_of(past) == {sample_id("r", "a", "exposure")}
    assert list(past.negatives) == [0]
    assert join.pending == 0


def test_what_a_request_shows_is_one_entry_where_all_but_the_item_is_the_same() -> None:
    """By hand: in one record the user, the time and the context each part a list of four."""
    join = NegativesJoin[int](RULES, Clock())
    shown = [
        event("exposure", "r", "a", T0),
        event("exposure", "r", "b", T0),
        event("exposure", "r", "b", T0),
        event("exposure", "r", "c", T0 + 1),
        replace(event("exposure", "r", "d", T0 + 1), user_id="other"),
        replace(event("exposure", "r", "e", T0 + 1), context={"city": "Oslo"}),
    ]
    step = join.add(shown, 0)
    assert (step.held, step.duplicates, join.pending) == (5, 1, 5)
    again = join.add([event("exposure", "r", "a", T0), event("exposure", "r", "f", T0)], 1)
    assert (again.held, again.duplicates, join.pending) == (1, 1, 6)
    join.add([event("click", "r", "a", T0)], 2)
    end = join.add([event("view", "x", "x", T0 + 10 * WINDOW_MS)], 3)
    assert end.negatives == {
        0: [
            PassedOver("u", "r", T0, ["b"]),
            PassedOver("u", "r", T0 + 1, ["c"]),
            PassedOver("other", "r", T0 + 1, ["d"]),
            PassedOver("u", "r", T0 + 1, ["e"], {"city": "Oslo"}),
        ],
        1: [PassedOver("u", "r", T0, ["f"])],
    }


def test_a_click_settles_its_exposure_whichever_comes_first() -> None:
    for order in (("exposure", "click"), ("click", "exposure")):
        join = NegativesJoin[int](RULES, Clock())
        held = released = 0
        for token, action in enumerate(order):
            step = join.add([event(action, "r", "a", T0)], token)
            held += step.held
            released += sum(step.released.values())
        end = join.add([event("view", "x", "x", T0 + 10 * WINDOW_MS)], 9)
        assert end.negatives == {}
        assert held == released + sum(end.released.values())  # every hold has ended


def test_a_signal_settles_nothing() -> None:
    join = NegativesJoin[int](RULES, Clock())
    join.add([event("exposure", "r", "a", T0), event("view", "r", "a", T0)], 0)
    end = join.add([event("view", "x", "x", T0 + 10 * WINDOW_MS)], 1)
    assert negatives_of(end) == {sample_id("r", "a", "exposure")}


def test_idle_time_moves_on_with_the_clock_from_where_events_left_it() -> None:
    clock = Clock()
    join = NegativesJoin[int](RULES, clock)
    past = T0 - 365 * 86_400_000  # a stream of the past
    join.add([event("exposure", "r", "a", past)], 0)
    clock.now_ms += IDLE_GRACE_MS + WINDOW_MS  # not yet: lateness is still to pass
    assert join.tick().negatives == {}
    clock.now_ms += LATENESS_MS + 1_000
    assert negatives_of(join.tick()) == {sample_id("r", "a", "exposure")}


def test_an_exposure_after_its_window_is_settled_at_once_and_counted() -> None:
    join = NegativesJoin[int](RULES, Clock())
    join.add([event("view", "x", "x", T0 + 10 * WINDOW_MS)], 0)
    step = join.add([event("exposure", "r", "a", T0)], 1)
    assert (step.held, negatives_of(step)) == (1, {sample_id("r", "a", "exposure")})
    assert (step.late, join.pending) == (1, 0)


def test_a_late_exposure_finds_the_click_behind_it_in_its_record() -> None:
    join = NegativesJoin[int](RULES, Clock())
    join.add([event("view", "x", "x", T0 + 10 * WINDOW_MS)], 0)
    step = join.add([event("exposure", "r", "a", T0), event("click", "r", "a", T0)], 1)
    assert step.negatives == {}
    assert step.held == sum(step.released.values()) == 1


def test_a_gap_of_years_expires_everything_in_one_call() -> None:
    join = NegativesJoin[int](RULES, Clock())
    join.add([event("exposure", f"r{n}", "a", n) for n in range(5_000)], 0)
    step = join.add([event("view", "x", "x", T0)], 1)
    assert len(negatives_of(step)) == 5_000


def test_forgetting_a_record_leaves_nothing_of_it() -> None:
    join = NegativesJoin[int](RULES, Clock())
    join.add([event("exposure", "r", "a", T0), event("click", "r", "b", T0)], 0)
    join.add([event("exposure", "r", "c", T0)], 1)
    join.forget(0)
    end = join.add([event("view", "x", "x", T0 + 10 * WINDOW_MS)], 2)
    assert list(end.negatives) == [1]
    assert end.released == {}


def test_over_the_bound_the_oldest_are_settled_early_and_a_positive_still_takes_them_back() -> None:
    join = NegativesJoin[int](RULES.model_copy(update={"max_pending_exposures": 3}), Clock())
    shown = [event("exposure", f"r{n}", "a", T0 + 1_000 * n) for n in range(5)]
    steps = [join.add([each], token) for token, each in enumerate(shown)]
    assert [list(step.negatives) for step in steps] == [[], [], [], [0], [1]]
    assert [step.early for step in steps] == [0, 0, 0, 1, 1]
    assert join.pending == 3
    # The clicks are remembered up to the same bound; the oldest is forgotten first.
    step = join.add([event("click", f"r{n}", "a", T0 + 1_000 * n) for n in range(5)], 9)
    assert step.released == {2: 1, 3: 1, 4: 1, 9: 2}
    assert (step.held, join.remembered, step.early) == (5, 3, 2)


pairs = st.tuples(st.sampled_from("pqr"), st.sampled_from("abc"))
actions = st.tuples(
    pairs, st.sampled_from(["exposure", "click", "like", "view"]), st.integers(0, 60_000)
)


@settings(max_examples=300)
@given(
    st.lists(actions, min_size=1, max_size=40),
    st.lists(st.integers(-LATENESS_MS // 2, LATENESS_MS // 2), min_size=40, max_size=40),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.data(),
)
def test_any_interleaving_with_restarts_gives_the_batch_labels(
    drawn: list[tuple[tuple[str, str], str, int]],
    jitter: list[int],
    doubled: list[bool],
    data: st.DataObject,
) -> None:
    events = [event(action, r, i, T0 + ts) for (r, i), action, ts in drawn]
    # One exposure time a pair, as a request shows an item once; its actions follow it.
    first = {(r, i): ts for (r, i), _, ts in sorted(drawn, key=lambda d: -d[2])}
    events = [
        event(e.action, e.request_id, e.item_id, T0 + first[(e.request_id, e.item_id)])
        if e.action == "exposure"
        else e
        for e in events
    ]
    arrived = sorted(zip(events, jitter, strict=False), key=lambda pair: pair[0].ts_ms + pair[1])
    log = [e for (e, _), twice in zip(arrived, doubled, strict=False) for e in [e] * (1 + twice)]
    late_clicks = {
        sample_id(e.request_id, e.item_id, "exposure") for e in log if e.action in ("click", "like")
    }

    emitted: set[int] = set()
    committed = 0
    for _ in range(data.draw(st.integers(0, 3), label="restarts")):
        end = data.draw(st.integers(committed, len(log)), label="killed at")
        committed = _run(log, committed, end, emitted)
    _run([*log, event("view", "end", "end", T0 + 10**9)], committed, len(log) + 1, emitted)

    # A negative whose positive is in the log is taken back by whoever has seen both.
    assert emitted - late_clicks == batch_labels(e for e in log if e.action != "view")


@given(
    st.lists(st.tuples(pairs, st.booleans(), st.integers(0, 600_000)), max_size=30),
    st.integers(0, WINDOW_MS),
    st.lists(st.integers(0, IDLE_GRACE_MS + LATENESS_MS), min_size=61, max_size=61),
    st.integers(-10 * 365 * 86_400_000, 0),
)
def test_a_stream_of_the_past_is_labelled_exactly_at_any_speed(
    drawn: list[tuple[tuple[str, str], bool, int]],
    delay_ms: int,
    wall_gaps_ms: list[int],
    age_ms: int,
) -> None:
    """Whatever the wall clock does between records, no exposure is rushed ahead of its click."""
    shown = {(r, i): (clicked, T0 + age_ms + at) for (r, i), clicked, at in drawn}
    log = [event("exposure", r, i, at) for (r, i), (_, at) in shown.items()]
    log += [
        event("click", r, i, at + delay_ms) for (r, i), (clicked, at) in shown.items() if clicked
    ]
    log.sort(key=lambda e: e.ts_ms)
    clock = Clock()
    join = NegativesJoin[int](RULES, clock)
    emitted: set[int] = set()
    for offset, (each, gap_ms) in enumerate(zip(log, wall_gaps_ms, strict=False)):
        clock.now_ms += gap_ms
        emitted |= negatives_of(join.tick())
        emitted |= negatives_of(join.add([each], offset))
    emitted |= negatives_of(join.add([event("view", "end", "end", T0 + 10**9)], len(log)))
    assert emitted == batch_labels(log)  # exactly: nothing to take back


def _run(log: list[Event], start: int, end: int, emitted: set[int]) -> int:
    """Label log[start:end] in a fresh process; return the offset that it would have committed."""
    join = NegativesJoin[int](RULES, Clock())
    holds: dict[int, int] = {}
    for offset in range(start, end):
        step = join.add([log[offset]], offset)
        holds[offset] = step.held
        emitted |= negatives_of(step)
        over = Counter(step.released)
        for token, some in step.negatives.items():
            over[token] += sum(len(shown.item_ids) for shown in some)
        for token, times in over.items():
            holds[token] -= times
            assert holds[token] >= 0
    return next((offset for offset in range(start, end) if holds[offset]), end)

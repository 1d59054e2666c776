"""The order of one connection's requests and answers, on a clock of the test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ops.embedded.arrivals import Arrivals
from ops.embedded.counts import Counts
from ops.embedded.exchange import Exchange
from ops.embedded.frames import correlation_of, request_header
from ops.embedded.hold import ASK_GAP_S
from ops.embedded.messages import API_VERSIONS, END_TXN, FETCH
from ops.embedded.rewriting import Rewriter
from tests.support.kafka_frames import (
    any_answer,
    any_request,
    fetch_answer,
    fetch_request,
    produce_request,
)

HEARTBEAT = 12


@dataclass
class Alarm:
    at_s: float
    call: Callable[[], None]
    is_on: bool = True

    def cancel(self) -> None:
        self.is_on = False


@dataclass
class Clock:
    now_s: float = 100.0
    alarms: list[Alarm] = field(default_factory=list)

    def later(self, delay_s: float, call: Callable[[], None]) -> Alarm:
        self.alarms.append(Alarm(self.now_s + delay_s, call))
        return self.alarms[-1]

    def advance(self, by_s: float) -> None:
        end_s = self.now_s + by_s
        while due := [alarm for alarm in self.alarms if alarm.is_on and alarm.at_s <= end_s]:
            alarm = min(due, key=lambda each: each.at_s)
            alarm.cancel()
            self.now_s = max(self.now_s, alarm.at_s)
            alarm.call()
        self.now_s = end_s


class Line:
    """A connection: what the broker was asked, and what the client was told."""

    def __init__(self, clock: Clock, arrivals: Arrivals, counts: Counts | None = None) -> None:
        self.asked: list[bytes] = []
        self.told: list[bytes] = []
        self.counts = counts or Counts()
        self.exchange = Exchange(
            to_broker=self.asked.append,
            to_client=self.told.append,
            arrivals=arrivals,
            rewriter=Rewriter(1, 2),
            counts=self.counts,
            now_s=lambda: clock.now_s,
            later=clock.later,
        )
        self.ask, self.answer = self.exchange.ask, self.exchange.answer


def held(clock: Clock, arrivals: Arrivals, topic: str = "t") -> Line:
    """A line whose fetch of one topic found nothing."""
    line = Line(clock, arrivals)
    line.ask(fetch_request({topic: 1}))
    line.answer(fetch_answer())
    assert line.told == []
    clock.advance(ASK_GAP_S)
    return line


def write(clock: Clock, arrivals: Arrivals, topic: str) -> None:
    line = Line(clock, arrivals)
    line.ask(produce_request({topic: b"r"}))
    line.answer(any_answer(7))


def test_requests_pass_unchanged_and_pipelined() -> None:
    line = Line(Clock(), Arrivals())
    requests = [any_request(HEARTBEAT, 1), any_request(HEARTBEAT, 2)]
    for request in requests:
        line.ask(request)
    assert line.asked == requests
    answers = [any_answer(1, b"a"), any_answer(2, b"b")]
    for answer in answers:
        line.answer(answer)
    assert line.told == answers


def test_records_are_given_at_once() -> None:
    line = Line(Clock(), Arrivals())
    line.ask(fetch_request({"t": 1}))
    line.answer(fetch_answer(b"r"))
    assert line.told == [fetch_answer(b"r")]


def test_an_empty_fetch_is_given_when_max_wait_is_over_without_asking_again() -> None:
    clock = Clock()
    line = held(clock, Arrivals())
    clock.advance(0.49)
    assert line.told == []
    clock.advance(0.01)
    assert line.told == [fetch_answer()]
    assert len(line.asked) == 1


def test_a_record_wakes_the_fetch_of_its_topic_only() -> None:
    clock, arrivals = Clock(), Arrivals()
    mine, other = held(clock, arrivals, "t"), held(clock, arrivals, "other")
    write(clock, arrivals, "t")
    assert (len(mine.asked), len(other.asked)) == (2, 1)
    assert mine.asked[0] == mine.asked[1]
    mine.answer(fetch_answer(b"r"))
    assert mine.told == [fetch_answer(b"r")]
    write(clock, arrivals, "t")
    clock.advance(0.1)
    assert len(mine.asked) == 2


def test_the_end_of_a_transaction_wakes_all() -> None:
    clock, arrivals = Clock(), Arrivals()
    lines = [held(clock, arrivals, topic) for topic in ("a", "b")]
    writer = Line(clock, arrivals)
    writer.ask(any_request(END_TXN, 1))
    assert [len(line.asked) for line in lines] == [1, 1]
    writer.answer(any_answer(1))
    assert [len(line.asked) for line in lines] == [2, 2]


def test_a_record_that_comes_during_the_question_is_not_missed() -> None:
    clock, arrivals = Clock(), Arrivals()
    line = Line(clock, arrivals)
    line.ask(fetch_request({"t": 1}))
    write(clock, arrivals, "t")
    line.answer(fetch_answer())
    clock.advance(ASK_GAP_S)
    assert len(line.asked) == 2
    line.answer(fetch_answer(b"r"))
    assert line.told == [fetch_answer(b"r")]


def test_many_records_ask_once_a_gap() -> None:
    clock, arrivals = Clock(), Arrivals()
    line = held(clock, arrivals)
    for _ in range(100):
        write(clock, arrivals, "t")
    assert len(line.asked) == 2
    line.answer(fetch_answer())
    assert len(line.asked) == 2
    clock.advance(ASK_GAP_S)
    assert len(line.asked) == 3


def test_later_requests_wait_behind_a_fetch() -> None:
    clock = Clock()
    line = held(clock, Arrivals())
    behind = [any_request(HEARTBEAT, 8), fetch_request({"t": 1}, correlation=9)]
    behind.append(any_request(HEARTBEAT, 10))
    for request in behind:
        line.ask(request)
    assert len(line.asked) == 1
    clock.advance(0.5)
    assert line.asked[1:] == behind[:2]
    line.answer(any_answer(8))
    line.answer(fetch_answer(b"r", correlation=9))
    line.answer(any_answer(10))
    assert line.asked[1:] == behind
    assert [correlation_of(frame) for frame in line.told] == [7, 8, 9, 10]


def test_a_produce_without_acks_wakes_when_the_broker_has_it() -> None:
    clock, arrivals = Clock(), Arrivals()
    waiting, writer = held(clock, arrivals), Line(clock, arrivals)
    writer.ask(produce_request({"t": b"r"}, acks=0))
    key, _, ours = request_header(writer.asked[1])
    assert key == API_VERSIONS
    assert len(waiting.asked) == 1
    writer.answer(any_answer(ours))
    assert len(waiting.asked) == 2
    assert writer.told == []


def test_what_is_not_understood_passes_unheld_and_is_counted() -> None:
    line = Line(Clock(), Arrivals())
    for correlation in (1, 2):
        line.ask(any_request(FETCH, correlation, version=11))
        line.answer(any_answer(correlation, b"?"))
    line.ask(fetch_request({"t": 1}, correlation=3))
    line.answer(any_answer(3, b"?"))
    assert line.told == [any_answer(number, b"?") for number in (1, 2, 3)]
    assert line.counts.not_understood == 3


def test_a_closed_line_asks_no_more() -> None:
    clock, arrivals = Clock(), Arrivals()
    line = held(clock, arrivals)
    line.exchange.close()
    write(clock, arrivals, "t")
    clock.advance(10.0)
    assert len(line.asked) == 1
    assert line.told == []

"""The outbox against a broker whose every answer the test decides."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any, cast

import faust
import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.outbox import Letter, Outbox


class ScriptedBroker:
    """Gathers what it is handed into batches, each taken or refused as a whole."""

    def __init__(self, limit_bytes: int = 10**9) -> None:
        self.producer = self
        self.taken: list[Letter] = []
        self.pending: list[tuple[Letter, asyncio.Future[None]]] = []
        self.refuses_hand_over = 0
        self._limit_bytes = limit_bytes

    async def send(
        self, topic: str, key: bytes, value: bytes, partition: int, _: None, __: None
    ) -> asyncio.Future[None]:
        if self.refuses_hand_over:
            self.refuses_hand_over -= 1
            msg = "not now"
            raise ProducerSendError(msg)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pending.append((Letter(topic, partition, key, value), answer))
        return answer

    def answer(self, error: Exception | None = None) -> None:
        """What came so far is one batch for each partition."""
        pending, self.pending = self.pending, []
        sizes = Counter[tuple[str, int]]()
        for letter, _ in pending:
            sizes[letter.topic, letter.partition] += len(letter.value)
        for letter, answer in pending:
            if sizes[letter.topic, letter.partition] > self._limit_bytes:
                answer.set_exception(MessageSizeTooLargeError())
            elif error is not None:
                answer.set_exception(error)
            else:
                self.taken.append(letter)
                answer.set_result(None)


def halves(letter: Letter) -> list[Letter]:
    half = len(letter.value) // 2
    return [letter._replace(value=letter.value[:half]), letter._replace(value=letter.value[half:])]


def run(main: Callable[[ScriptedBroker, Outbox], Coroutine[Any, Any, None]], **given: int) -> None:
    async def started() -> None:
        broker = ScriptedBroker(given.get("limit_bytes", 10**9))
        outbox = Outbox(halves, given.get("room_bytes", 10**9))
        outbox.connect(cast(faust.App, broker))
        await asyncio.wait_for(main(broker, outbox), 60)

    asyncio.run(started())


def letter(number: int, size: int = 3, partition: int = 0) -> Letter:
    return Letter("labels", partition, b"u", f"{number:0{size}}".encode())


async def answered(broker: ScriptedBroker, outbox: Outbox) -> None:
    """Every answer is yes until nothing is left."""
    while len(outbox):
        await asyncio.sleep(0)
        broker.answer()
    await outbox.drain()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_everything_is_delivered_once_told_and_in_order_while_all_goes_well(seed: int) -> None:
    chance = Random(seed)

    async def main(broker: ScriptedBroker, outbox: Outbox) -> None:
        sent = [letter(number, partition=chance.randrange(3)) for number in range(40)]
        told = Counter[int]()
        for number, one in enumerate(sent):
            outbox.send(one, partial(told.update, [number]))
            if chance.random() < 0.2:
                await asyncio.sleep(0)
                broker.answer()
        await answered(broker, outbox)
        for partition in range(3):
            of = [one for one in sent if one.partition == partition]
            assert [one for one in broker.taken if one.partition == partition] == of
        assert told == Counter(range(40))

    run(main)


def test_what_an_outage_refused_is_sent_again_in_its_order() -> None:
    async def main(broker: ScriptedBroker, outbox: Outbox) -> None:
        told: list[int] = []
        for number in range(3):
            outbox.send(letter(number), partial(told.append, number))
        await asyncio.sleep(0)
        broker.refuses_hand_over = 1
        outbox.send(letter(3), lambda: told.append(3))
        await asyncio.sleep(0)
        broker.answer(KafkaConnectionError())
        assert told == []
        assert len(outbox) == 4
        await answered(broker, outbox)
        # The one that never reached the client failed first.
        assert sorted(broker.taken) == [letter(number) for number in range(4)]
        assert [one for one in broker.taken if one != letter(3)] == [letter(n) for n in range(3)]
        assert sorted(told) == [0, 1, 2, 3]
        assert outbox.retries == 4

    run(main)


def test_neighbours_of_a_record_that_is_too_large_arrive_whole() -> None:
    """The broker refuses a batch by its whole size; only what is refused alone is parted."""

    async def main(broker: ScriptedBroker, outbox: Outbox) -> None:
        told: list[str] = []
        small, large = letter(1, 30), letter(2, 70)
        outbox.send(small, lambda: told.append("small"))
        outbox.send(large, lambda: told.append("large"))
        outbox.send(letter(3, 30), lambda: told.append("third"))
        await asyncio.sleep(0)
        await answered(broker, outbox)
        assert broker.taken == [small, *halves(large), letter(3, 30)]
        assert told == ["small", "large", "third"]

    run(main, limit_bytes=60)


def test_a_full_outbox_asks_for_no_more_until_the_broker_has_taken_some() -> None:
    async def main(broker: ScriptedBroker, outbox: Outbox) -> None:
        await outbox.room()
        outbox.send(letter(1, 50), lambda: None)
        await outbox.room()
        outbox.send(letter(2, 50), lambda: None)
        waiting = asyncio.create_task(outbox.room())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        broker.answer()
        await waiting
        await answered(broker, outbox)

    run(main, room_bytes=100)


def test_without_a_client_everything_waits() -> None:
    async def main() -> None:
        outbox = Outbox(halves)
        told: list[None] = []
        outbox.send(letter(1), lambda: told.append(None))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outbox.drain(), 0.01)
        broker = ScriptedBroker()
        outbox.connect(cast(faust.App, broker))
        await answered(broker, outbox)
        assert broker.taken == [letter(1)]
        assert told == [None]

    asyncio.run(main())

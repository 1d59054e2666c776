"""A label above the broker's limit is parted or set aside, and never holds its partition."""

from __future__ import annotations

import asyncio
from typing import cast

import faust
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Decoder, encode
from schemas.dead_letters import MAX_KEPT_BYTES, DeadLetter
from schemas.samples import POSITIVE, Sample, SampleBatch
from schemas.settings import Settings
from streams.dead_letters import Source, encode_dead_letter
from streams.decode import Refusal
from streams.outbox import Letter, Outbox
from streams.too_large import TooLarge

NOW_MS = 1_700_000_000_000
SETTINGS = Settings.model_construct(namespace="t")
LIMIT = 1_000

batches = Decoder[SampleBatch](SampleBatch)
dead_letters = Decoder[DeadLetter](DeadLetter)


def sample(number: int, context_bytes: int) -> Sample:
    context = {"c": "x" * context_bytes}
    return Sample(number, POSITIVE, "click", "u", f"i{number}", "r", NOW_MS, context=dict(context))


def letter(batch: SampleBatch) -> Letter:
    return Letter("t.positives", batch.source_partition, b"u", encode(batch))


class LimitedBroker:
    """Takes records up to a limit, by topic; the producer before it has a limit of its own."""

    def __init__(self, limits: dict[str, int], outages: int = 0) -> None:
        self.producer = self
        self.taken: list[Letter] = []
        self._limits = limits
        self._outages = outages

    async def send(
        self, topic: str, key: bytes, value: bytes, partition: int, _: None, __: None
    ) -> asyncio.Future[None]:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        limit = self._limits.get(topic, LIMIT)
        if len(value) > 2 * limit:
            msg = "Error while sending"
            raise ProducerSendError(msg) from MessageSizeTooLargeError()
        if len(value) > limit:
            answer.set_exception(MessageSizeTooLargeError())
        elif self._outages:
            self._outages -= 1
            answer.set_exception(KafkaConnectionError())
        else:
            self.taken.append(Letter(topic, partition, key, value))
            answer.set_result(None)
        return answer


def deliver(
    sent: Letter, limits: dict[str, int], outages: int = 0
) -> tuple[list[Letter], Outbox, TooLarge, int]:
    """What is on the broker in the end, and how often the sender was told so."""
    told: list[None] = []
    broker = LimitedBroker(limits, outages)
    too_large = TooLarge(SETTINGS, "label-positives", lambda: NOW_MS)
    outbox = Outbox(too_large.instead)

    async def main() -> None:
        outbox.connect(cast(faust.App, broker))
        outbox.send(sent, lambda: told.append(None))
        await outbox.drain()

    asyncio.run(main())
    return broker.taken, outbox, too_large, len(told)


@settings(deadline=None)
@given(st.lists(st.integers(0, 1_500), max_size=12), st.booleans())
def test_every_sample_arrives_or_is_a_dead_letter(sizes: list[int], counted: bool) -> None:
    samples = [sample(number, size) for number, size in enumerate(sizes)]
    exposures = {"i1": 3} if counted else {}
    batch = SampleBatch(samples, 3, 77, exposures)
    taken, _, too_large, told = deliver(letter(batch), {"t.dead-letters": 100_000})
    assert told == 1
    labels = [batches.decode(one.value) for one in taken if one.topic == "t.positives"]
    set_aside = [dead_letters.decode(one.value) for one in taken if one.topic == "t.dead-letters"]
    fits = [len(encode(SampleBatch([one], 3, 77))) <= LIMIT for one in samples]
    arrived = [one for part in labels for one in part.samples]
    assert arrived == [one for one, fit in zip(samples, fits, strict=True) if fit]
    assert too_large.oversized_labels == len(set_aside) == fits.count(False)
    for lost in set_aside:
        assert (lost.reason, lost.topic, lost.partition, lost.offset, lost.key) == (
            "oversized_label",
            "t.events",
            3,
            77,
            b"u",
        )
        assert batches.decode(lost.value).samples[0] in samples
    # Exposure counts are stated exactly once.
    assert [part.exposures for part in labels if part.exposures] == ([exposures] if counted else [])
    assert {(part.source_partition, part.source_offset) for part in labels} <= {(3, 77)}
    assert {(one.partition, one.key) for one in taken if one.topic == "t.positives"} <= {(3, b"u")}


def test_an_outage_is_waited_for_and_parts_nothing() -> None:
    sent = letter(SampleBatch([sample(1, 10), sample(2, 10)], 0, 1))
    taken, outbox, _, told = deliver(sent, {}, outages=1)
    assert (taken, told, outbox.retries) == ([sent], 1, 1)


def test_a_dead_letter_above_its_own_limit_is_counted_and_frees_its_record() -> None:
    sent = letter(SampleBatch([sample(1, 5_000)], 0, 1))
    taken, _, too_large, told = deliver(sent, {"t.dead-letters": 100})
    assert (taken, told) == ([], 1)
    assert (too_large.oversized_labels, too_large.lost_dead_letters) == (1, 1)


def test_a_dead_letter_stays_below_a_brokers_limit_whatever_the_record_holds() -> None:
    source = Source("t.events", 0, 1, b"k" * 900_000, [("", b"")] * 500_000)
    refusal = Refusal("undecodable", "\U0010ffff" * 1_000_000, b"v" * 900_000)
    data = encode_dead_letter(refusal, source, "label-positives", NOW_MS)
    # Value, key and headers, each to the same limit; the detail in characters of four bytes.
    assert len(data) < (3 + 4) * MAX_KEPT_BYTES + 1_000
    letter_kept = dead_letters.decode(data)
    assert (letter_kept.value_bytes, len(letter_kept.value)) == (900_000, MAX_KEPT_BYTES)
    assert 5_000 < len(letter_kept.headers) < 500_000

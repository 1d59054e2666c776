"""What producers may write that must not stop the labellers, on any broker."""

from __future__ import annotations

from typing import Any

from kafka import KafkaProducer

from schemas.codec import JSON, encode
from schemas.events import Event
from schemas.samples import sample_id
from schemas.topics import EVENTS, NEGATIVES, POSITIVES, topic_name
from tests.support.live import Live, now_ms
from tests.support.polling import eventually


class BadName(str):
    """A header name that an encoder writes as bytes which are not UTF-8."""

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xff\xfe" + super().encode()


def header_names_that_are_not_utf8_stop_nobody(live: Live) -> None:
    """The record is labelled like any other, and so are those behind it in its batch."""
    visits = [
        [
            Event(action, "header-u", "i", f"header-{n}", now_ms())
            for action in ("exposure", "click")
        ]
        + [Event("exposure", "header-u", "j", f"header-{n}", now_ms())]
        for n in range(3)
    ]
    headers = [(BadName("trace"), b"1"), ("content-type", JSON.encode())]
    producer = KafkaProducer(bootstrap_servers=live.settings.kafka.bootstrap_servers, linger_ms=500)
    try:
        for visit in visits:  # of one key, so in one batch
            topic = topic_name(live.settings.namespace, EVENTS)
            producer.send(topic, encode(visit, JSON), b"header-u", list(headers))
        garbage = producer.send(topic, b"garbage", b"header-u", [(BadName("trace"), b"2")])
        offset = garbage.get(timeout=30).offset
    finally:
        producer.close()
    later = live.visit("header-u", ["i", "j"], ["i"])
    clicks = {sample_id(f"header-{n}", "i", "click") for n in range(3)}
    clicks.add(sample_id(later[-1].request_id, "i", "click"))
    passed_over = {sample_id(f"header-{n}", "j", "exposure") for n in range(3)}
    for topic, expected in ((POSITIVES, clicks), (NEGATIVES, passed_over)):
        found = eventually(
            lambda topic=topic: {s.sample_id for s in live.samples(topic)},  # type: ignore[misc]
            lambda ids, expected=expected: expected <= ids,  # type: ignore[misc]
            f"the labels of records with such headers on {topic}",
        )
        assert expected <= found
    (letter,) = [one for one in live.dead_letters() if one.key == b"header-u"]
    assert (letter.reason, letter.offset, letter.value) == ("undecodable", offset, b"garbage")
    assert letter.headers == [("\\xff\\xfetrace", b"2")]


def labels_above_the_brokers_limit_stop_nobody(live: Live) -> None:
    """Labels that are too large together are parted; one too large alone is a dead letter."""
    limit_bytes = 20_000
    for topic in (POSITIVES, NEGATIVES):
        live.allow_records_of(topic, limit_bytes)
    try:
        fits = [_clicked(f"fits-{n}", 9_000) for n in range(8)]
        too_large = [_clicked("too-large", 30_000), _shown("too-large-shown", 30_000)]
        shown = [_shown(f"shown-{n}", 9_000) for n in range(8)]
        live.producer.send_many([*fits[:4], *too_large, *shown, *fits[4:]])
        live.producer.flush()
        clicks = {sample_id("limit-r", event.item_id, "click") for event in fits}
        negatives = {sample_id("limit-r", event.item_id, "exposure") for event in shown}
        for topic, expected in ((POSITIVES, clicks), (NEGATIVES, negatives)):
            eventually(
                lambda topic=topic: {  # type: ignore[misc]
                    s.sample_id for s in live.samples(topic) if s.user_id == "limit-u"
                },
                lambda ids, expected=expected: ids == expected,  # type: ignore[misc]
                f"the labels that fit on {topic}, and no other",
            )
        letters = eventually(
            lambda: [one for one in live.dead_letters() if one.reason == "oversized_label"],
            lambda found: len(found) == 2,
            "a dead letter of each label that does not fit",
        )
        assert {letter.role for letter in letters} == {"label-positives", "label-negatives"}
        assert all(letter.value_bytes > limit_bytes for letter in letters)
        for role in ("label-positives", "label-negatives"):
            eventually(  # the status in Redis is up to a second old
                lambda role=role: live.figure(role, "oversized_labels"),  # type: ignore[misc]
                lambda count: count == 1,
                f"{role} has counted it once",
            )
    finally:
        for topic in (POSITIVES, NEGATIVES):
            live.allow_records_of(topic, 1_048_588)
    later = live.visit("limit-u", ["later"], ["later"])[-1]
    live.await_refreshed("limit-u", later.ts_ms)


def _clicked(item_id: str, context_bytes: int) -> Event:
    context = {"c": "x" * context_bytes}
    return Event("click", "limit-u", item_id, "limit-r", now_ms(), context=dict(context))


def _shown(item_id: str, context_bytes: int) -> Event:
    context = {"c": "x" * context_bytes}
    return Event("exposure", "limit-u", item_id, "limit-r", now_ms(), context=dict(context))

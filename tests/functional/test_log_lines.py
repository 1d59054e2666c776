"""Lines of a request name it, so that a caller's log and a node's can be laid together."""

from __future__ import annotations

from kafka import KafkaProducer

from ops.logs import key_values
from schemas.codec import encode
from schemas.recall import CORRELATION_ID, REPLY_TOPIC, RecallRequest
from schemas.topics import RECALL_REPLIES, RECALL_REQUESTS, topic_name
from tests.support.live import Live
from tests.support.polling import eventually

_HEAD = 3  # time, level and logger


def ask(live: Live, request: RecallRequest, headers: list[tuple[str, bytes]]) -> None:
    producer = KafkaProducer(bootstrap_servers=live.settings.kafka.bootstrap_servers)
    try:
        topic = topic_name(live.settings.namespace, RECALL_REQUESTS)
        producer.send(topic, encode(request), headers=headers).get(timeout=10)
    finally:
        producer.close()


def await_line(live: Live, event: str, **wanted: str) -> dict[str, str]:
    """The first line of the index's log with this event and these values."""

    def found() -> dict[str, str]:
        for line in live.stack.role("index").log.read_text().splitlines():
            pairs = key_values(line.split(" ", _HEAD)[-1])
            if pairs.get("event") == event and wanted.items() <= pairs.items():
                return pairs
        return {}

    return eventually(found, bool, f"a line of the index with {event} {wanted}")


def test_a_refused_request_is_named_by_its_correlation_id(live: Live) -> None:
    replies = topic_name(live.settings.namespace, RECALL_REPLIES)
    headers = [(CORRELATION_ID, b"\x00odd id\xff"), (REPLY_TOPIC, replies.encode())]
    ask(live, RecallRequest(k=0, user_id="u"), headers)
    line = await_line(live, "request_refused", correlation_id=b"\x00odd id\xff".hex())
    assert line["rule"] == "k must lie from 1 to 1000"
    assert line["value"] == "0"
    assert line["reply_topic"] == replies


def test_a_request_that_nobody_can_answer_is_named_by_its_place(live: Live) -> None:
    ask(live, RecallRequest(user_id="u"), [(REPLY_TOPIC, b"somewhere")])
    line = await_line(live, "request_skipped", reason="no_correlation_id")
    assert line["topic"] == topic_name(live.settings.namespace, RECALL_REQUESTS)
    assert line["partition"].isdecimal()
    assert line["offset"].isdecimal()

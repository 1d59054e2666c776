"""The newest dead letters, as the page may show them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ops.dashboard.redact import shown_text, shown_value
from ops.dashboard.snapshot import Letters, LetterView
from schemas.codec import Decoder, content_type
from schemas.dead_letters import DeadLetter
from schemas.errors import DecodeError
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, topic_name

LOOKED_AT = 1_000
NEWEST = 20
_RECENT_MS = 300_000
_POLL_RECORDS = 500
_POLL_MS = 100
_UNREADABLE = "unreadable dead letter"


class LetterTail:
    """Follows the topic from its last 1,000 records on, and never works through more at once."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._decoder = Decoder[DeadLetter](DeadLetter)
        self._consumer: Any = KafkaConsumer(
            **settings.kafka.client_options(),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            auto_offset_reset="latest",
        )
        name = topic_name(settings.namespace, DEAD_LETTERS)
        self._part = TopicPartition(name, 0)
        self._consumer.assign([self._part])
        self._begin = self._next = 0
        self._skipped = 0
        self._reasons: deque[tuple[str, int]] = deque(maxlen=LOOKED_AT)
        self._newest: deque[LetterView] = deque(maxlen=NEWEST)
        self._started = False

    def read(self) -> Letters:
        """What there is now. Raises KafkaError."""
        consumer, part = self._consumer, self._part
        self._begin = consumer.beginning_offsets([part])[part]
        end = consumer.end_offsets([part])[part]
        start = max(self._begin, end - LOOKED_AT)
        if not self._started or self._next < start or self._next > end:
            if self._started and self._next < start:
                self._skipped += start - self._next
            self._next, self._started = start, True
            consumer.seek(part, start)
        while self._next < end:
            try:
                polled = consumer.poll(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            except UnicodeDecodeError:  # a header name, which kafka-python gets no further than
                self._next += 1
                consumer.seek(part, self._next)
                continue
            if not polled:
                break
            for record in polled.get(part, ()):
                self._take(record)
            self._next = consumer.position(part)
        return self._letters(end)

    def close(self) -> None:
        """Disconnect."""
        with suppress(KafkaError, OSError):
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _take(self, record: Any) -> None:
        try:
            letter = self._decoder.decode(record.value or b"", content_type(record.headers))
        except DecodeError as error:
            view = LetterView(
                at_ms=record.timestamp,
                reason=_UNREADABLE,
                detail=shown_text(str(error)),
                role="?",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                value=shown_value((record.value or b"")[:4_096]),
                value_bytes=len(record.value or b""),
                header_names=[],
            )
        else:
            view = view_of(letter)
        self._reasons.append((view.reason, view.at_ms))
        self._newest.appendleft(view)

    def _letters(self, end: int) -> Letters:
        since_ms = self._now_ms() - _RECENT_MS
        counted = Counter(reason for reason, _ in self._reasons)
        return Letters(
            kept=end - self._begin,
            looked_at=len(self._reasons),
            reasons=dict(counted.most_common()),
            newest=list(self._newest),
            recent=sum(at_ms >= since_ms for _, at_ms in self._reasons),
            skipped=self._skipped,
        )


def view_of(letter: DeadLetter) -> LetterView:
    """The letter as it may be shown."""
    return LetterView(
        at_ms=letter.ts_ms,
        reason=shown_text(letter.reason),
        detail=shown_text(letter.detail),
        role=shown_text(letter.role),
        topic=shown_text(letter.topic),
        partition=letter.partition,
        offset=letter.offset,
        value=shown_value(letter.value),
        value_bytes=letter.value_bytes,
        header_names=[shown_text(name) for name, _ in letter.headers[:20]],
    )
